// One connection for one request after another, where whoever asks keeps it: what becomes of it with its broker.
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { startDoor } from "../testing/brokers/door.ts";
import { startOrdersCluster } from "../testing/kafka.ts";
import { array, ask, type Door, int32, string } from "./protocol.ts";

const metadata = [3, 7] as const;
const orders = Buffer.concat([array([string("orders")]), Buffer.of(0)]);
const portOf = (bootstrap: string) => Number(bootstrap.split(":")[1]);

test("a connection that is kept takes the next request, and none once its broker ended it", async () => {
  using mock = startOrdersCluster(1);
  using door = await startDoor(mock.bootstrap);
  const kept: NonNullable<Door["kept"]> = [];
  const at: Door = { port: portOf(door.bootstrap), kept };
  const asked = async () => {
    const reader = await ask(at, metadata, orders);
    reader.int32();
    return reader.int32();
  };
  expect(await asked()).toBe(1);
  const [first] = kept;
  expect(await asked()).toBe(1);
  expect(kept).toEqual([first as never]);
  // Two at once are two connections.
  expect(await Promise.all([asked(), asked()])).toEqual([1, 1]);
  expect(kept).toHaveLength(2);
  door.leadTo(mock.bootstrap);
  await until("both are forgotten", () => kept.length === 0);
  expect(await asked()).toBe(1);
  expect(kept).not.toContain(first as never);
  for (const one of kept) one.close();
  await until("it is forgotten", () => kept.length === 0);
});

test("whoever keeps none leaves none open, and a kept one may be silent for its limit, and is not asked again", async () => {
  const answer = Buffer.concat([int32(8), Buffer.alloc(8)]);
  let [open, answers] = [0, 2];
  using broker = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: {
      open: () => {
        open += 1;
      },
      close: () => {
        open -= 1;
      },
      data: (socket) => void (answers-- > 0 && socket.write(answer)),
    },
  });
  await ask({ port: broker.port }, metadata, orders);
  await until("it is closed", () => open === 0);
  const kept: NonNullable<Door["kept"]> = [];
  const at: Door = { port: broker.port, kept };
  // Above the limit of the one that follows, which is not its own.
  await ask(at, metadata, orders, 60_000);
  const late = `no answer on port ${broker.port} within 50 ms`;
  await expect(ask(at, metadata, orders, 50)).rejects.toThrow(late);
  expect(kept).toEqual([]);
  await until("it is closed", () => open === 0);
});

test("a broker that answers more than was asked is not asked on that connection again, and none takes it for an answer", async () => {
  const numbered = (n: number) => Buffer.concat([int32(8), int32(0), int32(n)]);
  let n = 0;
  using broker = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: {
      data(socket) {
        n += 1;
        socket.write(n === 2 ? Buffer.concat([numbered(n), numbered(100)]) : numbered(n));
        // Later, when nobody asks.
        if (n === 4) setTimeout(() => socket.write(numbered(100)), 50);
      },
    },
  });
  const kept: NonNullable<Door["kept"]> = [];
  const asked = async () => (await ask({ port: broker.port, kept }, metadata, orders)).int32();
  expect(await asked()).toBe(1);
  await asked().catch(() => undefined);
  await until("it is forgotten", () => kept.length === 0);
  expect([await asked(), await asked()]).toEqual([3, 4]);
  await until("it is forgotten", () => kept.length === 0);
  expect(await asked()).toBe(5);
  for (const one of kept) one.close();
});

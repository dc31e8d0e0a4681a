// Servers are found by their name, as Docker gives one to all instances of a service: more of them need no edit.
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { fixedPort, startBalancer } from "../testing/balancer.ts";
import { startNameServer } from "./testing/name-server.ts";
import { startStandIn } from "./testing/stand-in.ts";

const ok = { answer: "HTTP/1.1 200 OK\r\nOrder-Fate: accepted\r\nContent-Length: 0\r\n\r\n" };
const twelve = Array.from({ length: 12 }, (_, n) => `127.0.0.${n + 11}`);

test("as many producers as the name has addresses are used, up to twelve", async () => {
  using names = await startNameServer(twelve.slice(0, 3));
  using stack = new DisposableStack();
  const port = fixedPort();
  const producers = twelve.map((address) => stack.use(startStandIn(ok, address, port)));
  await using balancer = await startBalancer({
    producers: [],
    env: { PRODUCER_DNS: `producer:${port}`, CONSUMER_DNS: `consumer:${port}` },
    replace: { "127.0.0.11:53": `127.0.0.1:${names.port}` },
  });
  const up = (count: number) =>
    until(`${count} producers are up`, async () => {
      const { act } = await balancer.row("producers", "BACKEND");
      return Number(act) === count;
    });

  await up(3);
  names.addresses = twelve;
  await up(12);
  const post = () => fetch(`http://127.0.0.1:${balancer.port}/orders`, { method: "POST", body: "{}" });
  for (let n = 0; n < 300; n++) expect((await post()).status).toBe(200);
  expect(producers.filter(({ requests }) => requests.length === 0)).toEqual([]);

  names.addresses = twelve.slice(4, 6);
  await up(2);
  expect((await post()).status).toBe(200);
});

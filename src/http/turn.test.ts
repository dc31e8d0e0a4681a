import { expect, test } from "bun:test";
import fc from "fast-check";
import { until } from "../../kit/until.ts";
import { inputRead } from "./turn.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("those that wait in one turn go on together, one right after the other", async () => {
  const order: string[] = [];
  const waiting = async (name: string) => {
    await inputRead();
    order.push(name);
  };
  const first = waiting("first");
  setImmediate(() => order.push("something else"));
  const second = waiting("second");
  await Promise.resolve();
  const third = waiting("third");
  expect(order).toEqual([]);
  await Promise.all([first, second, third, nextTurn()]);
  expect(order).toEqual(["first", "second", "third", "something else"]);
});

test("who comes while they go on waits for the next turn", async () => {
  const order: string[] = [];
  await inputRead();
  const later = inputRead().then(() => order.push("later"));
  // These were all there before it could go on.
  for (let n = 0; n < 10; n += 1) await Promise.resolve();
  expect(order).toEqual([]);
  await later;
});

test("however they come, each goes on after everybody's coming in its turn, and before anybody's in the next", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 10 }), async (turns) => {
      const seen: string[] = [];
      const expected: string[] = [];
      const all: Promise<unknown>[] = [];
      for (const [turn, waiters] of turns.entries()) {
        const names = Array.from({ length: waiters }, (_, n) => `${turn}/${n}`);
        expected.push(...names.map((name) => `${name} waits`), ...names.map((name) => `${name} goes on`));
        for (const name of names) {
          seen.push(`${name} waits`);
          all.push(inputRead().then(() => seen.push(`${name} goes on`)));
          await Promise.resolve();
        }
        await nextTurn();
      }
      await Promise.all(all);
      expect(seen).toEqual(expected);
    }),
    { numRuns: 100 },
  );
});

test("requests that arrived together go on together", async () => {
  const requests = 50;
  let came = 0;
  let answers = 0;
  /** How many had come when each went on. */
  let seen: number[] = [];
  await using server = Bun.serve({
    port: 0,
    async fetch() {
      came += 1;
      await inputRead();
      seen.push(came);
      return new Response();
    },
  });
  const socket = {
    data() {
      answers += 1;
    },
  };
  const address = { hostname: "127.0.0.1", port: server.port ?? 0 };
  const clients = await Promise.all(
    Array.from({ length: requests }, () => Bun.connect({ ...address, socket })),
  );
  // What is sent in one go arrives in one go, unless the kernel is late with some of it.
  await until("all of one go are let through in one go", async () => {
    [came, answers, seen] = [0, 0, []];
    for (const client of clients) client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await until("all are answered", () => answers === requests);
    return seen.every((whenItWentOn) => whenItWentOn === requests);
  });
  for (const client of clients) client.end();
});

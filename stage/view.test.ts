// What was seen of a system, put together to what is shown.
import { expect, test } from "bun:test";
import type { Look } from "./sources/source.ts";
import { createFeed } from "./testing/feed.ts";
import { createView } from "./view.ts";

const statesOf = (look: Look) =>
  Object.fromEntries(
    Object.entries(createView()(look).instances).map(([name, { state, why }]) => [name, { state, why }]),
  );

test("brokers that run and do not answer are not called up", async () => {
  const look = await createFeed(100).source.look();
  expect(statesOf(look).kafka1).toEqual({ state: "up", why: "" });
  const { kafka1, zookeeper1 } = statesOf({ ...look, log: undefined });
  expect(kafka1).toEqual({ state: "unready", why: "no broker answers" });
  expect(zookeeper1).toEqual({ state: "up", why: "" });
});

// What a stage does by itself.
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { openStage } from "./stage.ts";
import { createFeed } from "./testing/feed.ts";

const moreThanALookMs = 1_500;

test("where nobody looks it looks seldom; when somebody comes, at once", async () => {
  const { source } = createFeed(0);
  let looks = 0;
  const counted = {
    ...source,
    look: () => {
      looks += 1;
      return source.look();
    },
  };
  const stage = openStage(counted, { seldomMs: 600_000 });
  try {
    await Bun.sleep(moreThanALookMs);
    expect(looks).toBe(1);
    const detach = stage.attach(() => undefined);
    await until("it looks again and again", () => looks > 2);
    detach();
  } finally {
    await stage.close();
  }
});

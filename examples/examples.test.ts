/** Whoever takes this over replaces three files. With each example in their place all compiles, and tests and demo hold. */
import { afterAll, expect, test } from "bun:test";
import { must } from "../kit/capture.ts";
import { takeOver } from "../proof/testing/taken-over.ts";

const limitMs = 600_000;
/** Where examples/http-call.ts orders. */
const kitchen = Bun.serve({ port: 0, fetch: () => new Response("cooking", { status: 201 }) });
afterAll(() => kitchen.stop(true));

/** Beside what `bun test` runs: the way of an order, with a cluster. */
test.each<[example: string, ...tested: string[]]>([
  ["loyalty-points.ts", "src/handling/rebalance.test.ts"],
  ["http-call.ts"],
  [
    "parcels",
    "src/intake/app.test.ts",
    "src/handling/tier.test.ts",
    "ops/dead/main.test.ts",
    "stage/orders/one-order.test.ts",
  ],
])(
  "%s in its place",
  async (example, ...tested) => {
    using taken = takeOver(example, (text) =>
      text.replace("http://127.0.0.1:9100/tickets", kitchen.url.href),
    );
    const { tree } = taken;
    const bun = (args: string[], env = {}) =>
      must([process.execPath, ...args], { cwd: tree, limitMs, env: { ...env, TMPDIR: tree } });
    expect(await bun(["node_modules/.bin/tsc", "--noEmit"])).toBe("");
    await bun(["test", "--timeout=120000"]);
    if (tested.length > 0) await bun(["test", "--timeout=120000", ...tested.map((path) => `./${path}`)]);
    const said = await bun(["proof/demo/main.ts"], { DEMO_SECONDS: "8", LB_PORT: "0", LB_STATS_PORT: "0" });
    const [, accepted, handled] =
      /\naccepted (\d+), handled (\d+), redelivered \d+, lost 0$/.exec(said) ?? [];
    expect(Number(accepted)).toBeGreaterThan(0);
    expect(handled).toBe(accepted as string);
  },
  limitMs,
);

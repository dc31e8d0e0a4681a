/** Whoever takes this over replaces three files. With each example in their place all compiles, and tests and demo hold. */
import { afterAll, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../kit/capture.ts";

const limitMs = 180_000;
const root = join(import.meta.dir, "..");
const parcels = join(import.meta.dir, "parcels");
/** Where examples/http-call.ts orders. */
const kitchen = Bun.serve({ port: 0, fetch: () => new Response("cooking", { status: 201 }) });
afterAll(() => kitchen.stop(true));

/** Each in its own way, and what is tested then beside what `bun test` runs: with a cluster, an order's whole way. */
test.concurrent.each<[name: string, put: (src: string) => void, ...tested: string[]]>([
  ["loyalty-points.ts", handle("loyalty-points.ts"), "src/handling/rebalance.test.ts"],
  ["http-call.ts", handle("http-call.ts")],
  [
    "parcels/",
    allOf(parcels),
    "src/intake/app.test.ts",
    "src/handling/tier.test.ts",
    "ops/dead/main.test.ts",
  ],
])(
  "%s in its place",
  async (_, put, ...tested) => {
    const tree = mkdtempSync(join(tmpdir(), "coffee-orders-example-"));
    const bun = (args: string[], env = {}) =>
      must([process.execPath, ...args], { cwd: tree, limitMs, env: { ...env, TMPDIR: tree } });
    try {
      for (const part of readdirSync(root))
        if (part === "node_modules") symlinkSync(join(root, part), join(tree, part));
        else if (!part.startsWith("."))
          cpSync(join(root, part), join(tree, part), {
            recursive: true,
            filter: (path) => !path.slice(root.length).includes("/node_modules"),
          });
      put(join(tree, "src"));
      expect(await bun(["node_modules/.bin/tsc", "--noEmit"])).toBe("");
      await bun(["test"]);
      if (tested.length > 0) await bun(["test", "--timeout=60000", ...tested.map((path) => `./${path}`)]);
      const said = await bun(["proof/demo/main.ts"], { DEMO_SECONDS: "8", LB_PORT: "0", LB_STATS_PORT: "0" });
      const [, accepted, handled] =
        /\naccepted (\d+), handled (\d+), redelivered \d+, lost 0$/.exec(said) ?? [];
      expect(handled).toBe(accepted as string);
    } finally {
      rmSync(tree, { recursive: true });
    }
  },
  limitMs,
);

/** Copied over src/handle.ts. */
function handle(name: string) {
  return (src: string): void => {
    const example = readFileSync(join(import.meta.dir, name), "utf8").replaceAll("../src/", "./");
    writeFileSync(join(src, "handle.ts"), example.replace("http://127.0.0.1:9100/tickets", kitchen.url.href));
  };
}

/** Copied into src/; what tested the order that was there goes. */
function allOf(folder: string) {
  return (src: string): void => {
    for (const file of readdirSync(folder)) cpSync(join(folder, file), join(src, file));
    rmSync(join(src, "order.test.ts"));
  };
}

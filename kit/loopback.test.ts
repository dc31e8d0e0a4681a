import { expect, test } from "bun:test";
import { join } from "node:path";
import { must } from "./capture.ts";

const script = `
  await import(${JSON.stringify(join(import.meta.dir, "machine.ts"))});
  console.log(await (await fetch(process.argv[1])).text(), process.env.no_proxy);`;

test.each([
  [{}, "127.0.0.1,localhost"],
  [{ NO_PROXY: "ours.example" }, "ours.example,127.0.0.1,localhost"],
  [{ no_proxy: "ours.example", NO_PROXY: "" }, "ours.example,127.0.0.1,localhost"],
])(
  "what is on this machine is asked without the proxy of the environment, %j beside it",
  async (env, all) => {
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("itself") });
    // Nobody listens there.
    const proxies = { http_proxy: "http://127.0.0.1:1", HTTP_PROXY: "http://127.0.0.1:1" };
    const argv = [process.execPath, "-e", script, server.url.href];
    expect(
      await must(argv, { limitMs: 60_000, env: { NO_PROXY: "", no_proxy: undefined, ...proxies, ...env } }),
    ).toBe(`itself ${all}`);
  },
);

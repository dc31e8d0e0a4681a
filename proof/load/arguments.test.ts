// Where a load goes by its variables. Nothing is sent: somebody's topology may run there.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../../kit/capture.ts";

test.each([
  [{}, "http://127.0.0.1:8080"],
  [{ LB_PORT: "" }, "http://127.0.0.1:8080"],
  [{ LB_PORT: "8090" }, "http://127.0.0.1:8090"],
])("with %o", async (variables, url) => {
  const from = JSON.stringify(join(import.meta.dir, "arguments.ts"));
  const program = `import { readLoadArguments } from ${from}; console.log(readLoadArguments([]).url);`;
  const env = { LB_PORT: undefined, ...variables };
  const { stdout, stderr } = await capture([process.execPath, "-e", program], { limitMs: 60_000, env });
  expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: url, stderr: "" });
});

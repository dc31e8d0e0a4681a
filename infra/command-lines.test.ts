// Every command says how it is used, and does nothing on a guess.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";

const cwd = join(import.meta.dir, "..");
const commands = {
  ...{ topics: "ops/topics.ts", dead: "ops/dead/main.ts", simulate: "proof/simulation/main.ts" },
  ...{ chaos: "proof/chaos.ts", prove: "proof/prove.ts", load: "proof/load/main.ts" },
  ...{ images: "infra/images.ts", sbom: "infra/sbom/main.ts", native: "native/build.ts" },
  ...{ secrets: "infra/secure/secrets.ts" },
  ...{ dev: "proof/demo/dev.ts", stage: "stage/main.ts", bench: "bench/main.ts" },
};

const ofMake = { up: "infra/up.ts", down: "infra/down.ts", demo: "stage/demo.ts" };
const lines = [
  ...Object.entries(commands).map(([name, entry]) => [`bun run ${name}`, entry] as const),
  ...Object.entries(ofMake).map(([name, entry]) => [`make ${name}`, entry] as const),
];
/** Where a word is taken for none, there is nothing to start or end containers with, and no demo. */
const env = { PATH: "/nowhere", DEMO_SECONDS: "0" };

test.each(lines)("%s", async (name, entry) => {
  const run = (word: string) => capture([process.execPath, entry, word], { limitMs: 30_000, cwd, env });
  const [helped, misspelt] = await Promise.all([run("--help"), run("--hepl")]);
  expect(helped).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(name) });
  expect(misspelt).toMatchObject({ code: 2, stdout: "" });
  expect(misspelt.stderr).toContain("--hepl");
  expect(misspelt.stderr).toContain(name);
});

test.each([
  ["proof/load/main.ts", ["--url", "http://127.0.0.1:1"], {}, "make up"],
  ["proof/demo/dev.ts", [], { HTTP_PORT: "x" }, "HTTP_PORT=x: a port is expected"],
  ["stage/demo.ts", [], { STAGE_PORT: "x" }, "STAGE_PORT=x: a port is expected"],
])("%s says in words what keeps it from beginning", async (entry, args, variables, words) => {
  const run = await capture([process.execPath, entry, ...args], {
    ...{ limitMs: 30_000, cwd, env: { ...env, ...variables } },
  });
  expect(run.code).toBeGreaterThan(0);
  expect(run.stderr).toContain(words);
  expect(run.stderr).not.toMatch(/^ +at /m);
});

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

test.each(Object.entries(commands))("bun run %s", async (name, entry) => {
  const run = (word: string) => capture([process.execPath, entry, word], { limitMs: 30_000, cwd });
  const [helped, misspelt] = await Promise.all([run("--help"), run("--hepl")]);
  expect(helped).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(`bun run ${name}`) });
  expect(misspelt).toMatchObject({ code: 2, stdout: "" });
  expect(misspelt.stderr).toContain("--hepl");
  expect(misspelt.stderr).toContain(`bun run ${name}`);
});

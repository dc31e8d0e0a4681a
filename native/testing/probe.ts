// Addons for tests, each from the one C++ source of its name here, compiled as the real one is.
import { join } from "node:path";
import { thisMachine } from "../../kit/machine.ts";
import { compileAddon, compileParts } from "../compile.ts";
import { sources } from "../librdkafka.ts";
import { digest, madeOnce } from "../made-once.ts";

/** How long it may take where nothing of it has been made yet. */
export const PROBE_LIMIT_MS = 600_000;

/** The path of the addon, compiled if it was not before. */
export async function compileProbe(name: string): Promise<string> {
  const machine = thisMachine(AbortSignal.timeout(PROBE_LIMIT_MS));
  const source = join(import.meta.dir, `${name}.cc`);
  const parts = digest([process.arch, Bun.version], [source, ...compileParts]);
  const folder = await madeOnce(machine, `${name}-${parts}`, async (fresh) => {
    const include = [join(await sources(machine), "node")];
    await compileAddon(machine, fresh, { name, sources: [source], include });
  });
  return join(folder, `${name}.node`);
}

/**
 * Puts defects back, one by one, into a copy of the core, and says within how many worlds each is found; ends with 1 when
 * one is not. Not a part of the tests: `bun proof/simulation/mutations.ts`.
 */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownCommandLine } from "../../kit/arguments.ts";
import { ofHandling } from "./defects/handling.ts";
import { ofPlaces } from "./defects/places.ts";

const usage =
  "bun proof/simulation/mutations.ts     takes no options; exit code 1 where a defect is not found";
ownCommandLine(usage, {}, () => undefined);

const root = join(import.meta.dir, "../..");
let missed = 0;
for (const { defect, file, right, wrong } of [...ofPlaces, ...ofHandling]) {
  const copy = mkdtempSync(join(tmpdir(), "mutation-"));
  for (const part of ["src", "kit", "proof", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const path = join(copy, "src/handling", file);
  const text = await Bun.file(path).text();
  if (text.split(right).length !== 2) throw new Error(`${file} does not have once: ${right}`);
  await Bun.write(
    path,
    text.replace(right, () => wrong),
  );
  const child = Bun.spawn([process.execPath, "proof/simulation/main.ts", "--seeds", "10000", "--from", "1"], {
    cwd: copy,
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  const code = await child.exited;
  // Found by its seed; anything else that ends it found nothing.
  if (code !== 0 && !/^seed \d+ breaks/m.test(said)) throw new Error(said);
  if (code === 0) missed += 1;
  console.log(`${defect}: ${said.trim()}`);
  rmSync(copy, { recursive: true });
}
process.exit(missed === 0 ? 0 : 1);

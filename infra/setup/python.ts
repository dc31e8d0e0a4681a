// Schemathesis, in a Python environment of its own in the cache: pinned, with everything that it needs.
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ask, cachePath, type Machine, which, withTools } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";

const LIMIT_MS = 5 * 60_000;
/**
 * What pip installs, by versions and by the digests of their files: `uv pip compile --universal --python-version 3.11
 * --generate-hashes` of what `pip freeze` says of an environment that has only Schemathesis.
 */
const pinned = join(import.meta.dir, "schemathesis.txt");
const version = /^schemathesis==(\S+)/m.exec(readFileSync(pinned, "utf8"))?.[1] ?? "";

/** Whether the pinned Schemathesis is there. */
export async function hasSchemathesis(machine: Machine): Promise<boolean> {
  return (await ask(machine, "schemathesis", "--version"))?.endsWith(` ${version}`) ?? false;
}

/** Whether there is a Python that can make environments, as new as Schemathesis wants it. */
export async function hasPython(machine: Machine): Promise<boolean> {
  const check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
  return (await ask(machine, "python3", "-c", check)) !== undefined;
}

/** Makes the environment, and Schemathesis a program of the cache, where `withTools` finds it. */
export async function makeSchemathesis(machine: Machine): Promise<void> {
  const folder = cachePath(machine, `schemathesis-${version}`);
  const program = cachePath(machine, "bin", "schemathesis");
  const options = { limitMs: LIMIT_MS, env: withTools(machine) };
  // Its programs hold its path, so that it can't be moved into place: what an earlier attempt left goes first.
  rmSync(folder, { recursive: true, force: true });
  const python = which(machine, "python3") ?? "python3";
  await step(machine, "making a Python environment", [python, "-m", "venv", folder], options);
  const pip = [join(folder, "bin", "pip"), "install", "--disable-pip-version-check", "--require-hashes"];
  await step(machine, `installing Schemathesis ${version}`, [...pip, "--requirement", pinned], options);
  mkdirSync(dirname(program), { recursive: true });
  rmSync(`${program}.new`, { force: true });
  symlinkSync(join(folder, "bin", "schemathesis"), `${program}.new`);
  renameSync(`${program}.new`, program);
}

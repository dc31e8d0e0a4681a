import { expect, test } from "bun:test";
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath, which } from "../../kit/machine.ts";
import { bareMachine } from "../../kit/testing/bare-machine.ts";
import { UserError } from "../../kit/user-error.ts";
import { hasPython, hasSchemathesis, makeSchemathesis } from "./python.ts";

const pinned = readFileSync(join(import.meta.dir, "schemathesis.txt"), "utf8");
const version = /^schemathesis==(\S+)/m.exec(pinned)?.[1];

/** A python3 whose environments have a pip that does `install`. */
const python = (install: string) => `
[ "$1" = -c ] && exit 0
/bin/mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "$*" >> "$CALLS"\\n${install}\\n' > "$3/bin/pip"
/bin/chmod +x "$3/bin/pip"`;

test("Schemathesis is installed as it is pinned, and found by its name, at the second attempt too", async () => {
  using machine = bareMachine();
  const program = cachePath(machine, `schemathesis-${version}`, "bin", "schemathesis");
  machine.program("python3", python("exit 1"));
  expect([await hasPython(machine), await hasSchemathesis(machine)]).toEqual([true, false]);
  await expect(makeSchemathesis(machine)).rejects.toThrow(UserError);
  expect(await hasSchemathesis(machine)).toBe(false);

  machine.program("installed", `echo "schemathesis, version ${version}"`);
  machine.program("python3", python(`/bin/cp "${which(machine, "installed")}" "${program}"`));
  await makeSchemathesis(machine);
  expect((await machine.calls()).at(-1)).toMatch(
    /^install .*--require-hashes --requirement \/.*schemathesis\.txt$/,
  );
  expect(lstatSync(cachePath(machine, "bin", "schemathesis")).isSymbolicLink()).toBe(true);
  expect(await hasSchemathesis(machine)).toBe(true);
});

test("every package of it is pinned, itself among them, by version and by digest", () => {
  expect(version).toMatch(/^4\./);
  for (const one of pinned.trim().replaceAll(" \\\n", "").split("\n"))
    expect(one).toMatch(/^[\w.-]+==[\w.]+( {4}--hash=sha256:[0-9a-f]{64})+$/);
});

test("a machine without Python has none", async () => {
  using machine = bareMachine();
  expect([await hasPython(machine), await hasSchemathesis(machine)]).toEqual([false, false]);
});

// A machine that has nothing but what a test puts there, for the tests of set-up: no folder but its own is touched,
// no program but its own is found.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Machine } from "../machine.ts";

export interface BareMachine extends Machine, Disposable {
  /** All of it lies in here. */
  folder: string;
  /** What was said. */
  said: string[];
  /** Puts a shell script on the PATH; what it appends to "$CALLS" is in `calls()`. */
  program(name: string, script: string): void;
  calls(): Promise<string[]>;
}

/** Makes such a machine; it is gone when its scope ends. */
export function bareMachine(): BareMachine {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-bare-"));
  const programs = join(folder, "programs");
  const calls = join(folder, "calls");
  const said: string[] = [];
  mkdirSync(programs);
  writeFileSync(calls, "");
  return {
    folder,
    said,
    env: { HOME: folder, PATH: programs, CALLS: calls },
    elsewhere: [],
    root: false,
    stop: new AbortController().signal,
    say: (line) => said.push(line),
    program: (name, script) => {
      writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(programs, name), 0o755);
    },
    calls: async () => (await Bun.file(calls).text()).split("\n").filter(Boolean),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

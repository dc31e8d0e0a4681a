// Finds whoever was started with a certain folder for temporary files, whoever its parent is by now.
import { readdirSync, readFileSync } from "node:fs";

/** A living process with this TMPDIR in its environment. */
export interface Found {
  pid: number;
  argv: string[];
  env: Record<string, string>;
}

/** Whoever has this TMPDIR. */
export function processesOf(folder: string): Found[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .map((pid) => ({ pid, argv: listOf(pid, "cmdline"), env: environmentOf(pid) }))
    .filter(({ env }) => env.TMPDIR === folder);
}

function environmentOf(pid: number): Record<string, string> {
  const variables = listOf(pid, "environ").map((variable) => [
    variable.slice(0, variable.indexOf("=")),
    variable.slice(variable.indexOf("=") + 1),
  ]);
  return Object.fromEntries(variables);
}

/** Empty for one that has ended, reaped or not. */
function listOf(pid: number, file: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
  } catch {
    return [];
  }
}

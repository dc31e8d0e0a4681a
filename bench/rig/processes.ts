/** What processes cost, from /proc: CPU time of whole groups with their children, and the peak of their memory. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** Linux's unit of the times in /proc/PID/stat, on every architecture that it runs on today. */
const ticksPerSecond = 100;
const resetPeak = "5";

/** Stops processes where they are, or lets them go on. */
export function setPaused(pids: readonly number[], paused: boolean): void {
  for (const pid of family(pids)) process.kill(pid, paused ? "SIGSTOP" : "SIGCONT");
}

/** CPU seconds that processes and those that they started have used so far. */
export const cpuSeconds = (pids: readonly number[]): number =>
  family(pids).reduce((sum, pid) => sum + ownCpuSeconds(pid), 0);

/** Forgets the peaks, so that `peakMemoryMb` tells those from now on. */
export function resetPeakMemory(pids: readonly number[]): void {
  for (const pid of family(pids)) writeFileSync(`/proc/${pid}/clear_refs`, resetPeak);
}

/** The largest resident set of any one of the processes, MB. */
export const peakMemoryMb = (pids: readonly number[]): number =>
  Math.max(...family(pids).map((pid) => statusKb(pid, "VmHWM") / 1_024));

/** The resident set of any one of the processes now, MB. */
export const memoryMb = (pids: readonly number[]): number =>
  Math.max(...family(pids).map((pid) => statusKb(pid, "VmRSS") / 1_024));

function ownCpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold anything, in parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function statusKb(pid: number, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (!found) throw new Error(`/proc/${pid}/status has no ${name}`);
  return Number(found[1]);
}

/** Those that are there, with those that they started. */
function family(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => {
    const path = `/proc/${pid}/task/${pid}/children`;
    if (!existsSync(path)) return [];
    const children = readFileSync(path, "utf8").trim();
    return [pid, ...family(children ? children.split(" ").map(Number) : [])];
  });
}

/**
 * The topology as it was, for whoever scrolls back: kept every few seconds and at each change, for as long as the plots go
 * back, as text, so that memory is bounded: some 8 KB each.
 */
import type { Past } from "../page/recording.ts";

const everyMs = 5_000;
const mostKept = 400;

export function createPast(keptMs: number) {
  const kept: { atMs: number; text: string }[] = [];
  return {
    /** Takes a state in, if it is time. @param changed something happened since the last one */
    keep({ atMs, instances, partitions, edges, controller, group, load }: Past, changed: boolean): void {
      // The clock was set back: what is kept is of times that are still to come.
      while ((kept.at(-1)?.atMs ?? atMs) > atMs) kept.pop();
      if (!changed && atMs - (kept.at(-1)?.atMs ?? 0) < everyMs) return;
      const past: Past = { atMs, instances, partitions, edges, controller, group, load };
      kept.push({ atMs, text: JSON.stringify(past) });
      while (kept.length > mostKept || (kept[0]?.atMs ?? atMs) < atMs - keptMs) kept.shift();
    },
    /** Oldest first. */
    all: (): Past[] => kept.map(({ text }) => JSON.parse(text)),
    /** The newest of that time or before, or else the first; undefined: there is none. @returns a Past as JSON */
    at: (atMs: number): string | undefined => (kept.findLast((one) => one.atMs <= atMs) ?? kept[0])?.text,
  };
}

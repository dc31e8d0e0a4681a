/**
 * What the pages are shown: the one state, then each change of it as a merge patch; a sample a second for the plots; and how
 * all of it was, for whoever scrolls back or takes it away as a file.
 */
import { documentOf } from "../page/document.ts";
import type { Sample, StageState } from "../page/state.ts";
import { recordingOf } from "./export.ts";
import { createPast } from "./past.ts";
import { patchOf } from "./patch.ts";

const keptMs = 900_000;

/** What a page is sent: the name of a server-sent event and its data. */
export type Message = { event: "snapshot" | "patch" | "history" | "sample"; data: unknown };
export type Page = (message: Message) => void;

export function createPages(state: () => StageState) {
  const pages = new Set<Page>();
  const samples: Sample[] = [];
  const past = createPast(keptMs);
  let sent: StageState | undefined;
  let lastSeenMs = performance.now();

  function tell(message: Message): void {
    for (const page of pages) page(message);
  }

  return {
    /** Shows all of it to a page, then each change. @returns what ends that */
    attach(page: Page): () => void {
      sent ??= state();
      page({ event: "history", data: samples });
      page({ event: "snapshot", data: sent });
      pages.add(page);
      return () => void pages.delete(page);
    },
    /** Sends what has changed since the last time. */
    publish(now = state()): void {
      const patch = patchOf(sent, now);
      sent = now;
      if (patch !== undefined) tell({ event: "patch", data: patch });
    },
    /** Takes a sample of what was sent last. @returns the time of the oldest that is kept */
    sample(): number {
      const { edges, verdict, load } = sent ?? state();
      const { placed, handled } = edges;
      const nowMs = Date.now();
      const sample: Sample = [nowMs, placed.ratePerS, handled.ratePerS, verdict.waiting, load.p99Ms ?? -1];
      // The plots go by time, also where the clock was set back.
      while ((samples.at(-1)?.[0] ?? 0) > nowMs) samples.pop();
      samples.push(sample);
      while ((samples[0]?.[0] ?? 0) < nowMs - keptMs) samples.shift();
      tell({ event: "sample", data: sample });
      return samples[0]?.[0] ?? 0;
    },
    past,
    /** All of it as a file of its own: an HTML page. */
    export: (): Promise<string> => documentOf(recordingOf(state(), samples, past.all())),
    areOpen: (): boolean => pages.size > 0,
    /** For how long nobody has looked. */
    aloneMs(): number {
      if (pages.size > 0) lastSeenMs = performance.now();
      return performance.now() - lastSeenMs;
    },
  };
}

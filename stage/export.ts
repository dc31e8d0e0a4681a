/** What the stage has seen, as a recording that the page shows from a file: all that the page has, and nothing can be done in it. */
import type { Past, Recording } from "../page/recording.ts";
import { type Sample, type StageState, verdictTitles } from "../page/state.ts";

/** @param samples of the newest minutes, oldest first */
export const recordingOf = (
  state: StageState,
  samples: readonly Sample[],
  past: readonly Past[],
): Recording => ({
  title: `Coffee Orders: ${verdictTitles[state.verdict.status]}`,
  about: `as the stage saw it, up to ${new Date(state.atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`,
  state,
  samples,
  past,
});

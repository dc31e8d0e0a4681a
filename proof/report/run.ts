/** A finished run, as it is reported. */
import type { History } from "../history/history.ts";
import type { Verdict } from "../verdict/verdict.ts";
import type { RunEvent } from "./events.ts";
import type { Measures } from "./measures.ts";

export type Run = {
  seed: string;
  events: readonly RunEvent[];
  history: History;
  verdict: Verdict;
  measures: Measures;
};

/**
 * What the page is fed from where it is a file: what a stage saw up to now, or a proof that is over. What whoever
 * watched did not know is absent, and is not shown.
 */
import type { Sample, StageState } from "./state.ts";

/** What is kept of a state: all that the diagram draws. */
export type Past = Pick<
  StageState,
  "atMs" | "instances" | "partitions" | "edges" | "controller" | "group" | "load"
>;

export interface Recording {
  title: string;
  /** One line: which run, when, how long. */
  about: string;
  /** As it was in the end. A proof has no instances: it does not watch them. */
  state: StageState;
  samples: readonly Sample[];
  /** The topology as it was, oldest first. */
  past: readonly Past[];
  /** Where it is of a proof: what every order and each fault came to. */
  proof?: ProofView;
}

/** What a proof found, in words and figures: the rows of its tables. */
export interface ProofView {
  /** What broke the promise, a line each. */
  faults: readonly string[];
  /** Figures beyond those of the verdict. */
  figures: Readonly<Record<string, number>>;
  /** When each tier was away, as those outside could tell. */
  lanes: readonly Lane[];
  tables: readonly TableView[];
  /** What every word of the tables means. */
  words: Readonly<Record<string, string>>;
}

export interface Lane {
  name: string;
  stretches: readonly Stretch[];
}

export interface Stretch {
  fromMs: number;
  toMs: number;
}

export interface TableView {
  title: string;
  heads: readonly string[];
  /** The first so many columns are words, the rest figures. */
  words: number;
  rows: readonly (readonly Cell[])[];
}

/** A text, one that should not be there, or a time in ms since the epoch. */
export type Cell = string | { bad: string } | { atMs: number };

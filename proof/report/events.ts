/** What happened in a run, as the report tells it. */

export type RunEvent = {
  /** Ms since the epoch. */
  atMs: number;
  kind: "phase" | "fault" | "heal" | "note";
  text: string;
  /** The fault's name, with the same number for its heal where one fault comes twice: `broker-kill-leader`. */
  fault?: string;
  /** Of a fault: which round it belongs to; those of one round strike together. A round of its own without one. */
  round?: number;
};

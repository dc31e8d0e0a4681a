// What a person sees of a run, as lines of text.
import type { Status } from "../monitor.ts";
import type { InstanceTier } from "../pipeline.ts";

export interface ViewRow {
  name: string;
  tier: InstanceTier;
  pid: number;
  running: boolean;
  /** What it last said of itself, if anything. */
  status: Status | undefined;
}

export interface Picture {
  /** How long orders have been flowing, and shall. */
  flowingS: number;
  durationS: number;
  rows: ViewRow[];
  accepted: number;
  /** Orders whose client waits for the final answer. */
  open: number;
  /** Answers to the client other than 202. */
  failures: number;
  handled: number;
  redelivered: number;
  /** Orders that were given up, and are kept. */
  dead: number;
}

export const introduction = `
  client -> HAProxy -> 3 producers -> Kafka -> 3 consumers -> ledger

Kafka is librdkafka's mock cluster here: three brokers in one process, which
keep the newest 5 MB of a partition and nothing on disk. While consumers join
they may take no commit for some seconds: what was handled then comes again.
All else is what runs on a real one. Kill what you like; Ctrl-C ends it with
the verdict.
`;

/** The table: a line for each instance, and the two ends of the way. */
export function tableOf(picture: Picture): string[] {
  const { flowingS, durationS, rows, accepted, open, failures, handled, redelivered, dead } = picture;
  // The client may hear of an acceptance after the consumer.
  const waiting = Math.max(0, accepted - handled - dead);
  const clock = `${Math.min(Math.floor(flowingS), durationS)} of ${durationS} s`;
  return [
    "",
    `${"".padEnd(12)} ${"state".padEnd(9)} ${"pid".padStart(7)} ${"orders/s".padStart(9)}   ${clock}`,
    ...rows.map(rowOf),
    `${"client".padEnd(12)} accepted ${accepted}, in flight ${open}, failed answers ${failures}`,
    `${"ledger".padEnd(12)} handled ${handled}, waiting ${waiting}, redelivered ${redelivered}${dead > 0 ? `, dead letters ${dead}` : ""}`,
  ];
}

/** An event, after its time. */
export const stamp = (elapsedS: number, event: string): string =>
  `${elapsedS.toFixed(1).padStart(6)} s  ${event}`;

function rowOf({ name, tier, pid, running, status }: ViewRow): string {
  const state = !running ? "dead" : status?.inService ? "up" : "starting";
  const start = `${name.padEnd(12)} ${state.padEnd(9)}`;
  if (!running || !status) return start.trimEnd();
  const work =
    tier === "producer"
      ? `in flight ${status.inFlightOrders}`
      : `lag ${String(status.lagRecords).padEnd(4)} partitions ${status.partitions.join(" ") || "-"}`;
  return `${start} ${String(pid).padStart(7)} ${String(Math.round(status.ratePerS)).padStart(9)}   ${work}`.trimEnd();
}

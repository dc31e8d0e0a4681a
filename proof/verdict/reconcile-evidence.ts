/** A history indexed by order, and where an order is by that evidence. */
import type { History, TopicRecord } from "../history/history.ts";
import type { Whereabouts } from "./verdict.ts";

export type Evidence = {
  /** An order's records, in the order of the history. */
  records: ReadonlyMap<string, readonly TopicRecord[]>;
  /** How many rows, deliveries and applied effects an order has. */
  rows: ReadonlyMap<string, number>;
  deliveries: ReadonlyMap<string, number>;
  effects: ReadonlyMap<string, number>;
  /** When an order was first handled, ms since the epoch. */
  handledAtMs: ReadonlyMap<string, number>;
  /** Orders that were given up, by their id or by the place of their record. */
  dead: ReadonlySet<string>;
  /** What the group had committed last, by partition. */
  committed: ReadonlyMap<number, number>;
};

export function evidenceOf({ topic, ledger, effects, dead, commits }: History): Evidence {
  const places = new Map(topic.map((record) => [placeOf(record), record.id]));
  const records = new Map<string, TopicRecord[]>();
  for (const record of topic) {
    const known = records.get(record.id);
    if (known) known.push(record);
    else records.set(record.id, [record]);
  }
  const handledAtMs = new Map<string, number>();
  for (const { id, handledAtMs: atMs } of ledger)
    handledAtMs.set(id, Math.min(atMs, handledAtMs.get(id) ?? atMs));
  return {
    records,
    rows: summed(ledger, () => 1),
    deliveries: summed(ledger, ({ deliveries }) => deliveries),
    effects: summed(effects, () => 1),
    handledAtMs,
    dead: new Set(dead.flatMap((letter) => letter.id ?? places.get(placeOf(letter)) ?? [])),
    committed: new Map(commits.map(({ partition, offset }) => [partition, offset])),
  };
}

/** Whether anything is known of an order, anywhere behind the producers. */
export const leftTrace = ({ records, rows, effects, dead }: Evidence, id: string): boolean =>
  records.has(id) || rows.has(id) || effects.has(id) || dead.has(id);

/** Whether the group has passed a record: it will not be delivered again. */
export const isPassed = ({ committed }: Evidence, { partition, offset }: TopicRecord): boolean =>
  offset < (committed.get(partition) ?? 0);

/** Where an order is that was neither handled nor given up as a dead letter. */
export function whereIs(evidence: Evidence, id: string): Whereabouts {
  const copies = evidence.records.get(id) ?? [];
  if (evidence.rows.has(id)) return "without effect";
  if (evidence.effects.has(id)) return "without row";
  if (copies.length === 0) return "not in the log";
  return copies.every((record) => isPassed(evidence, record)) ? "committed" : "uncommitted";
}

/** Whether a record of an order lies at a place in the log. */
export const isAt = ({ records }: Evidence, id: string, place: Place): boolean =>
  records.get(id)?.some((record) => placeOf(record) === placeOf(place)) ?? false;

type Place = { partition: number; offset: number | null };

/** The place of a record in the log, as a text. */
export const placeOf = ({ partition, offset }: Place) => `${partition}/${offset}`;

function summed<T extends { id: string }>(entries: readonly T[], value: (entry: T) => number) {
  const sums = new Map<string, number>();
  for (const entry of entries) sums.set(entry.id, (sums.get(entry.id) ?? 0) + value(entry));
  return sums;
}

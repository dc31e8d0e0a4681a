/**
 * The verdict on a run: a pure function of its history. What it checks, each in the client's own terms:
 *
 * - lost: the client was told 202, there is not both a row in the ledger and its effect, and no dead letter. Each is
 *   classed by where the order is.
 * - destroyed: the client was told 202 and a place in the log that a fault has cut from every replica since, before the group
 *   had come to it, and there are no more orders of which nothing is left than records were cut. No system could handle
 *   them: counted apart, and no fault.
 * - dead-lettered: the client was told 202, and the order was given up as a dead letter: counted, and no fault, since it
 *   is kept and shown. One that has a row in the ledger all the same, without its effect, is lost.
 * - phantom: every try was refused, and the order is in the log, the ledger or the dead letters all the same.
 * - unknown: the client can't tell; either outcome is right, and both are counted.
 * - ledger duplicate: an effect was applied more than once, whoever the client and whatever it was told.
 * - offset regression: a committed offset went back, and no cut had taken the log back within the last minute, nor one
 *   that this partition's commits had not followed yet: where no orders come, they follow when some do.
 * - skipped: a commit passed a record that was neither handled nor a dead letter.
 * - mistaken: a 202 named another id than that of customer and key, or a place in the log that no record of it has, where
 *   the log was not cut; or an accepted order that was sent once more was called a fault, or accepted under another id.
 * - altered: what was handled is not what was ordered, by its digest; or it is noted as a record that no record of the
 *   order is, where all of them are still in the log.
 * - order violation, where one customer's orders share a partition: an order that was answered before the next one
 *   was sent lies behind it in the log, or was handled after it.
 *
 * Copies in the topic and repeated deliveries are what at-least-once means: counted, and no fault.
 */
import { isContradicted } from "../client/told.ts";
import {
  type ClientAnswer,
  type CommitSeen,
  type Cut,
  digestOf,
  type History,
  type LedgerRow,
  orderIdOf,
} from "../history/history.ts";
import { type Evidence, evidenceOf, isAt, isPassed, leftTrace, whereIs } from "./reconcile-evidence.ts";
import { orderViolationsOf } from "./reconcile-order.ts";
import type { Missing, Verdict } from "./verdict.ts";

/** How the run was set up, as far as the checks depend on it; and whether the log was read, or what it has is not known. */
export type ReconcileOptions = { partitioner?: "batch" | "customer"; isLogRead?: boolean };

/** Judges a finished run. */
export function reconcile(
  history: History,
  { partitioner = "batch", isLogRead = true }: ReconcileOptions = {},
): Verdict {
  const evidence = evidenceOf(history);
  const orders = history.client.map((answer) => ({ ...answer, orderId: orderIdOf(answer) }));
  const told = (fate: "accepted" | "refused" | "unknown") => orders.filter((order) => order.fate === fate);
  const isHandled = ({ orderId }: { orderId: string }) =>
    evidence.effects.has(orderId) && evidence.rows.has(orderId);
  const isKnown = ({ orderId }: { orderId: string }) => leftTrace(evidence, orderId);

  const accepted = told("accepted");
  const refused = told("refused");
  const unknown = told("unknown");
  const missing = accepted.filter((order) => !isHandled(order));
  const isGivenUp = ({ orderId }: { orderId: string }) =>
    evidence.dead.has(orderId) && !evidence.rows.has(orderId) && !evidence.effects.has(orderId);
  const cuts = history.cuts ?? [];
  const isElsewhere = ({ orderId, place }: ClientAnswer & { orderId: string }) =>
    isLogRead &&
    cuts.length === 0 &&
    place != null &&
    place.offset !== null &&
    !isAt(evidence, orderId, place);
  const destroyed = destroyedOf(
    missing.filter((order) => !isKnown(order)),
    cuts,
    history.commits,
  );
  const lost = missing.filter((order) => !isGivenUp(order) && !destroyed.has(order));
  const unhandled = unknown.filter((order) => !isHandled(order));
  const counted = {
    accepted: accepted.length,
    refused: refused.length,
    unknown: {
      handled: unknown.length - unhandled.length,
      waiting: unhandled.filter(isKnown).length,
      absent: unhandled.filter((order) => !isKnown(order)).length,
    },
    retried: orders.filter(({ attempts }) => attempts > 1).length,
    firstTryFailed: orders.filter(({ attempts, firstStatus }) => attempts > 0 && firstStatus !== 202).length,
    handled: accepted.length - missing.length,
    destroyed: destroyed.size,
    deadLettered: missing.length - lost.length - destroyed.size,
    topicDuplicates: history.topic.length - evidence.records.size,
    ...redeliveriesOf(evidence),
  };
  const findings = {
    lost: lost.map(({ key, orderId: id }): Missing => {
      const [record] = evidence.records.get(id) ?? [];
      const place = record && { partition: record.partition, offset: record.offset };
      return { id, key, where: whereIs(evidence, id), ...place };
    }),
    givenUp: [...missing, ...unhandled]
      .filter(isGivenUp)
      .map(({ orderId: id }) => id)
      .sort(),
    phantoms: refused.filter(isKnown).map(({ orderId: id }) => id),
    ledgerDuplicates: [...new Set([...evidence.effects, ...evidence.rows].filter(isTwice).map(([id]) => id))],
    mistaken: accepted
      .filter((order) => order.id !== order.orderId || isElsewhere(order) || isContradicted(order))
      .map(({ orderId: id }) => id),
    altered: alteredOf(history, orders, evidence),
    skipped: history.topic
      .filter((record) => isPassed(evidence, record) && !evidence.rows.has(record.id))
      .filter((record) => !evidence.dead.has(record.id))
      .map(({ id, partition, offset }) => ({ id, partition, offset })),
    offsetRegressions: regressionsOf(history),
    orderViolations: partitioner === "customer" ? orderViolationsOf(orders, evidence) : [],
  };
  const faults = faultsOf(counted, findings);
  return { held: faults.length === 0, faults, ...counted, ...findings };
}

/** Orders whose rows say that something else was handled. */
function alteredOf(
  { ledger, cuts = [] }: History,
  orders: readonly (ClientAnswer & { orderId: string })[],
  evidence: Evidence,
): string[] {
  const sent = new Map(orders.map((order) => [order.orderId, order]));
  const isOther = (row: LedgerRow) => {
    const order = sent.get(row.id);
    if (order && row.digest !== digestOf(order)) return true;
    return cuts.length === 0 && evidence.records.has(row.id) && !isAt(evidence, row.id, row);
  };
  return [...new Set(ledger.filter(isOther).map(({ id }) => id))];
}

/** Orders without a trace that a cut explains: it took their place in the log, and no more of them than were cut. */
function destroyedOf<Order extends ClientAnswer>(
  untraced: readonly Order[],
  cuts: readonly Cut[],
  commits: readonly CommitSeen[],
): ReadonlySet<Order> {
  const firsts = cuts.map((cut) => firstCutOf(cut, commits));
  const taken = untraced.filter(({ endedMs, place }) =>
    cuts.some(({ atMs }, n) => {
      const first = place && firsts[n]?.(place.partition);
      return endedMs <= atMs && first !== undefined && (place?.offset ?? first) >= first;
    }),
  );
  const cut = cuts.reduce((sum, { records }) => sum + records, 0);
  return new Set(taken.length <= cut ? taken : []);
}

/** The first offset that a cut took of a partition; undefined: it took nothing of it. */
function firstCutOf(cut: Cut, commits: readonly CommitSeen[]): (partition: number) => number | undefined {
  if (cut.partition !== undefined) return (partition) => (partition === cut.partition ? cut.from : undefined);
  const before = commits.filter(({ atMs }) => atMs <= cut.beganMs);
  const committed = new Map(before.map(({ partition, offset }) => [partition, offset]));
  return (partition) => committed.get(partition) ?? 0;
}

/** More deliveries than there are copies in the topic: each copy is one delivery. How many were cut off since, nobody knows. */
function redeliveriesOf({ rows, deliveries, records }: Evidence) {
  const counted = { redeliveries: 0, ofDestroyed: 0 };
  for (const id of rows.keys()) {
    const copies = records.get(id)?.length;
    const more = Math.max(0, (deliveries.get(id) ?? 0) - (copies ?? 1));
    counted[copies === undefined ? "ofDestroyed" : "redeliveries"] += more;
  }
  return counted;
}

/** A consumer may settle what it had in hand before it hears of the cut. */
const cutHeardMs = 60_000;

function regressionsOf({ commits, cuts = [] }: History): Verdict["offsetRegressions"] {
  const newest = new Map<number, number>();
  const followed = new Map<number, Cut>();
  return commits.flatMap(({ partition, offset: to, atMs }) => {
    const from = newest.get(partition) ?? 0;
    newest.set(partition, to);
    if (to >= from) return [];
    const cut = cuts.findLast((one) => (one.partition ?? partition) === partition && one.atMs <= atMs);
    const isCut = cut && (atMs <= cut.atMs + cutHeardMs || followed.get(partition) !== cut);
    if (cut) followed.set(partition, cut);
    return isCut ? [] : [{ partition, from, to, atMs }];
  });
}

const isTwice = ([, times]: [string, number]): boolean => times > 1;

type Findings = Pick<
  Verdict,
  | "lost"
  | "phantoms"
  | "ledgerDuplicates"
  | "mistaken"
  | "altered"
  | "skipped"
  | "offsetRegressions"
  | "orderViolations"
>;

function faultsOf({ accepted }: Pick<Verdict, "accepted">, findings: Findings): string[] {
  const { lost, phantoms, ledgerDuplicates, mistaken, altered, skipped, offsetRegressions, orderViolations } =
    findings;
  const where = Object.entries(Object.groupBy(lost, (one) => one.where)).map(
    ([place, orders]) => `${orders.length} ${place}`,
  );
  const counts: [number, string][] = [
    [accepted === 0 ? 1 : 0, "nothing was accepted, which proves nothing"],
    [
      lost.length,
      `lost ${lost.length}: accepted, and neither handled nor a dead letter (${where.join(", ")})`,
    ],
    [phantoms.length, `phantoms ${phantoms.length}: refused and yet there`],
    [ledgerDuplicates.length, `ledger duplicates ${ledgerDuplicates.length}: handled more than once`],
    [
      mistaken.length,
      `mistaken ${mistaken.length}: accepted under another id or place, or denied when sent again`,
    ],
    [altered.length, `altered ${altered.length}: handled with another content or place than was accepted`],
    [skipped.length, `skipped ${skipped.length}: committed without being handled`],
    [
      offsetRegressions.length,
      `offset regressions ${offsetRegressions.length}: a committed offset went back`,
    ],
    [
      orderViolations.length,
      `order violations ${orderViolations.length}: a customer's orders changed places`,
    ],
  ];
  return counts.flatMap(([count, words]) => (count > 0 ? [words] : []));
}

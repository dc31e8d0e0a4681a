// The verdict: what the client was told, held against what the ledger has. Each order that was answered 202 must be
// there, as it was ordered, each effect at most once, and no order that was refused. One that was given up, and is kept as a
// dead letter, is not lost; but all orders of the demo can be handled, so a good handler gives up none. The client's record is what
// counts: a tier's own log would only prove that it agrees with itself.

import type { Fate } from "../../src/outcomes.ts";

/** The client's record of one order, by the id that it has by customer and key, with the digest of what was ordered. */
export interface FinalAnswer {
  id: string;
  fate: Fate;
  digest: string;
  /** As its 202 named it; undefined: that named none. */
  toldId?: string | undefined;
}

/** What the ledger has of one order. */
export interface Handled {
  /** How often Kafka delivered it. */
  deliveries: number;
  /** How often its effect was applied. */
  effects: number;
  /** It was given up, and is kept as a dead letter. */
  dead?: boolean;
  /** Of what was handled; undefined: it has no row, only effects. */
  digest?: string;
}

export interface Tally extends Record<Fate, number> {
  /** Orders accepted and handled. */
  handled: number;
  /** Their deliveries beyond the first. */
  redelivered: number;
  /** Orders accepted, given up and kept as dead letters. */
  dead: number;
  /** Orders accepted, and neither handled nor a dead letter. */
  lost: number;
  /** Orders whose effect was applied more than once. */
  doubled: number;
  /** Orders refused and handled nevertheless. */
  phantoms: number;
  /** Orders accepted under another id, or handled with another content than was ordered. */
  mistaken: number;
}

/** Judges a finished run. An id proves one order only, however many answers carry it. */
export function judge(answers: readonly FinalAnswer[], ledger: ReadonlyMap<string, Handled>): Tally {
  const verdict: Tally = {
    accepted: 0,
    refused: 0,
    unknown: 0,
    handled: 0,
    redelivered: 0,
    dead: 0,
    lost: 0,
    doubled: 0,
    phantoms: 0,
    mistaken: 0,
  };
  const proven = new Set<string>();
  for (const { id, fate, digest, toldId } of answers) {
    verdict[fate] += 1;
    const entry = ledger.get(id);
    const applied = entry?.digest !== undefined && entry.effects > 0;
    const isOther = entry?.digest !== undefined && entry.digest !== digest;
    if (isOther || (fate === "accepted" && toldId !== id)) verdict.mistaken += 1;
    if (entry && entry.effects > 1) verdict.doubled += 1;
    if (fate === "refused" && entry) verdict.phantoms += 1;
    if (fate !== "accepted") continue;
    const givenUp = entry?.dead === true && entry.deliveries + entry.effects === 0;
    if (!(applied || givenUp) || proven.has(id)) {
      verdict.lost += 1;
      continue;
    }
    proven.add(id);
    if (givenUp) {
      verdict.dead += 1;
      continue;
    }
    verdict.handled += 1;
    verdict.redelivered += entry.deliveries - 1;
  }
  return verdict;
}

/** Whether the promise was kept. A run in which nothing was accepted proves nothing. */
export function holds({ accepted, dead, lost, doubled, phantoms, mistaken }: Tally): boolean {
  return accepted > 0 && dead + lost + doubled + phantoms + mistaken === 0;
}

/** The verdict in words: what else there is to say, where there is anything, and then the line that counts. */
export function verdictLines(verdict: Tally): string[] {
  const { accepted, handled, redelivered, dead, lost, refused, unknown, doubled, phantoms, mistaken } =
    verdict;
  const beside = [
    refused > 0 && `refused ${refused}`,
    unknown > 0 && `unknown ${unknown}`,
    dead > 0 && `given up and kept as dead letters ${dead}`,
    doubled > 0 && `effects applied twice ${doubled}`,
    phantoms > 0 && `refused but handled ${phantoms}`,
    mistaken > 0 && `under another id or with another content ${mistaken}`,
  ].filter((part) => part !== false);
  return [
    ...(beside.length > 0 ? [beside.join(", ")] : []),
    `accepted ${accepted}, handled ${handled}, redelivered ${redelivered}, lost ${lost}`,
  ];
}

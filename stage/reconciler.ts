/**
 * The verdict while orders flow: the client's own record against the ledger and the dead letters, in bounded memory.
 *
 * An order is settled, counted and forgotten by a barrier: the ends of all partitions, noted at least `quietMs` after its
 * last answer. When the group has committed past every one of them, whatever was written of the order is finished, since
 * no producer holds a record for longer than that. What the ledger says then is final:
 *
 * - accepted, and neither handled nor a dead letter: lost. Handled means a row with its effect, either alone is lost too.
 * - any order with two effects: doubled.
 * - refused, and there all the same: phantom.
 * - accepted under another id than that of customer and key, denied when it was sent again, or handled with another content
 *   than was ordered: mistaken.
 *
 * Until then an accepted order is handled as soon as the ledger says so, or waits. Where ledger or brokers can't be read,
 * or more orders wait than may be remembered, it says that it can't know: those are never called good. What befalls an
 * order after it was settled is not seen any more.
 */

import type { Verdict } from "../page/state.ts";
import type { Evidence, Found, Offsets } from "./sources/evidence.ts";

/** What a client knows of one order in the end. */
export interface Answer {
  /** By customer and key (src/wire/order-id.ts). */
  id: string;
  fate: "accepted" | "refused" | "unknown";
  /** As the 202 told it. */
  toldId?: string | undefined;
  /** It was accepted, and when it was sent again told something else (proof/client/told.ts). */
  contradicted?: boolean;
  /** Of what was ordered; without it that is not compared. */
  digest?: string | undefined;
}

interface Kept extends Pick<Answer, "fate" | "digest"> {
  atMs: number;
  /** A row with its effect, or a dead letter, was seen. */
  seen?: Found;
}

type Figures = Omit<Verdict, "status" | "why">;

interface Options {
  /** Above the longest that a producer may hold a record (DELIVERY_TIMEOUT_MS, 20 s). */
  quietMs?: number;
  /** Orders remembered at once. */
  mostKept?: number;
  /** Ms of a clock that nobody can set: one that jumped would settle what may still be written. */
  now?: () => number;
}

/** Accepted this long ago, an order should have been handled. */
const promptMs = 3_000;
/** Nothing readable for so long: it can't be known. */
const blindAfterMs = 10_000;
/** Ids in one question to the ledger. */
const lookAtOnce = 4_000;

const isHandled = ({ deliveries, effects }: Found): boolean => deliveries > 0 && effects > 0;

export function createReconciler(evidence: Evidence, options: Options = {}) {
  const { quietMs = 25_000, mostKept = 400_000, now = () => performance.now() } = options;
  const kept = new Map<string, Kept>();
  /** Accepted and not seen so far, oldest first. */
  const unseen = new Set<string>();
  const tally = createTally();
  let barrier: Barrier | undefined;
  let [turn, forgotten] = [0, 0];
  let [readAtMs, failure] = [now(), ""];

  /** Takes what a client was told of an order in the end. */
  function take(answer: Answer, atMs = now()): void {
    const { id, fate, digest } = answer;
    tally.told(answer);
    if (kept.has(id) || kept.size >= mostKept) forgotten += 1;
    else {
      kept.set(id, { fate, digest, atMs });
      if (fate === "accepted") unseen.add(id);
    }
  }

  async function lookForUnseen(): Promise<void> {
    // In turns, where there are more: those that wait for long do not hide the others.
    if (turn >= unseen.size) turn = 0;
    const ids = [...unseen].slice(turn, turn + lookAtOnce);
    turn += lookAtOnce;
    if (ids.length === 0) return;
    for (const [id, found] of await evidence.look(ids)) {
      const order = kept.get(id);
      if (!order || !(isHandled(found) || found.dead)) continue;
      order.seen = found;
      tally.seen(found, 1);
      unseen.delete(id);
    }
  }

  /** Settles what the last barrier proves, then notes the next one. */
  async function settle(): Promise<void> {
    const offsets = await evidence.offsets();
    const passed = barrier && isPassed(barrier, offsets);
    if (barrier && passed) await settleUntil(barrier.atMs - quietMs);
    if (!barrier || passed || isCut(barrier, offsets)) barrier = offsets;
  }

  async function settleUntil(provenMs: number): Promise<void> {
    const due = answeredBy(provenMs, kept);
    for (let from = 0; from < due.length; from += lookAtOnce) {
      const ids = due.slice(from, from + lookAtOnce);
      const found = await evidence.look(ids);
      for (const id of ids) {
        tally.settled(kept.get(id), found.get(id));
        kept.delete(id);
        unseen.delete(id);
      }
    }
  }

  function whyBlind(): string {
    if (forgotten > 0) return `${forgotten} orders could not be remembered, so nobody can tell of them`;
    if (now() - readAtMs <= blindAfterMs || kept.size === 0) return "";
    return failure || "ledger and brokers take long to tell";
  }

  return {
    take,
    verdict(): Verdict {
      const [oldest] = unseen;
      const oldestMs = oldest === undefined ? 0 : now() - (kept.get(oldest)?.atMs ?? now());
      const why = whyBlind();
      const figures = tally.now(unseen.size, Math.round(oldestMs / 1_000));
      return { status: statusOf(figures, why !== "", oldestMs), why, ...figures };
    },
    /** Looks once; what can't be read is said by the verdict when it lasts. */
    async check(): Promise<void> {
      try {
        await lookForUnseen();
        await settle();
        [readAtMs, failure] = [now(), ""];
      } catch (error) {
        failure = (error as Error).message;
      }
    },
    /** Orders held in memory. */
    kept: (): number => kept.size,
  };
}

function statusOf(
  { accepted, lost, doubled, phantom, mistaken }: Figures,
  isBlind: boolean,
  oldestMs: number,
): Verdict["status"] {
  if (lost + doubled + phantom + mistaken > 0) return "broken";
  if (isBlind) return "blind";
  if (oldestMs > promptMs) return "waiting";
  return accepted > 0 ? "good" : "idle";
}

function answeredBy(untilMs: number, kept: ReadonlyMap<string, Kept>): string[] {
  const ids: string[] = [];
  // In the order of their answers: the first that is too new ends it.
  for (const [id, { atMs }] of kept) {
    if (atMs > untilMs) break;
    ids.push(id);
  }
  return ids;
}

type Barrier = Pick<Offsets, "atMs" | "ends">;

/** Beyond the end of a log a commit is of one that is no more, and says nothing of what is there now. */
const isPassed = (barrier: Barrier, { ends, committed }: Offsets): boolean =>
  [...barrier.ends].every(([at, end]) => {
    const offset = committed.get(at) ?? 0;
    return offset >= end && offset <= (ends.get(at) ?? 0);
  });

/** What a log had beyond its end was cut off: nobody will ever come past that. */
const isCut = (barrier: Barrier, { ends }: Offsets): boolean =>
  [...barrier.ends].some(([at, end]) => (ends.get(at) ?? 0) < end);

/** What the orders came to, in numbers. */
function createTally() {
  const counts = { sent: 0, accepted: 0, refused: 0, unknown: 0, settled: 0 };
  const folded = { handled: 0, redelivered: 0, dead: 0, lost: 0, doubled: 0, phantom: 0, mistaken: 0 };
  /** Of those that are kept and were seen: counted as they come and go, since a page asks each second. */
  const live = { handled: 0, redelivered: 0, dead: 0, doubled: 0 };

  function seen(found: Found, by: 1 | -1): void {
    const { deliveries, effects } = found;
    if (isHandled(found)) live.handled += by;
    else live.dead += by;
    if (effects > 1) live.doubled += by;
    live.redelivered += by * Math.max(0, deliveries - 1);
  }

  return {
    told({ id, fate, toldId = id, contradicted = false }: Answer): void {
      counts.sent += 1;
      counts[fate] += 1;
      if (fate === "accepted" && (toldId !== id || contradicted)) folded.mistaken += 1;
    },
    seen,
    settled(order: Kept | undefined, found: Found | undefined): void {
      const { fate, digest } = order ?? {};
      if (order?.seen) seen(order.seen, -1);
      counts.settled += 1;
      const effects = found?.effects ?? 0;
      if (effects > 1) folded.doubled += 1;
      folded.redelivered += Math.max(0, (found?.deliveries ?? 0) - 1);
      if (fate === "refused" && found) folded.phantom += 1;
      if (digest !== undefined && found?.digest !== undefined && found.digest !== digest)
        folded.mistaken += 1;
      if (fate !== "accepted") return;
      if (found && isHandled(found)) folded.handled += 1;
      else if (found?.dead && found.deliveries + effects === 0) folded.dead += 1;
      else folded.lost += 1;
    },
    now: (waiting: number, oldestS: number): Figures => ({
      ...{ ...counts, waiting, oldestS, ...folded },
      handled: folded.handled + live.handled,
      redelivered: folded.redelivered + live.redelivered,
      dead: folded.dead + live.dead,
      doubled: folded.doubled + live.doubled,
    }),
  };
}

/**
 * What a good client makes of the answers to one request, try after try, order by order. An order that was accepted
 * once stays accepted; one that was unknown once is never refused any more, whatever a later try was told, since that
 * speaks for itself alone. Pure; used in k6 as well: nothing that it lacks may be imported.
 */
import type { ClientAnswer } from "./answers.ts";
import type { MixedRequest } from "./mix.ts";
import { readSetback } from "./policy.ts";

/** An answer as it came; status 0 and no text: there was none, or half of one. */
export type Heard = { status: number; text: string | null; startedMs: number; endedMs: number };

/** Of one order, in an answer of its own or as an outcome among those of a batch. */
type Outcome = { status: number; id?: string; fate?: string; partition?: unknown; offset?: unknown };

const accepted = 202;
const multiStatus = 207;

export function createTold({ path, sent, orders }: Pick<MixedRequest, "path" | "sent" | "orders">) {
  const known = orders.map((order) => ({
    told: {
      ...order,
      sent,
      ...{ startedMs: 0, endedMs: 0, attempts: 0, firstStatus: 0, status: 0 },
      fate: "unknown",
    } as ClientAnswer,
    again: true,
  }));

  return {
    /** Takes an answer in. */
    hear({ status, text, startedMs, endedMs }: Heard): void {
      const outcomes = outcomesIn(path, orders.length, status, text);
      for (const [n, one] of known.entries()) {
        const outcome = outcomes[n] as Outcome;
        if (one.told.fate === "accepted") hearAgain(one.told, outcome);
        else one.again = hearOf(one.told, outcome, startedMs, endedMs);
      }
    },
    /** The client is ended while it waits: what was not accepted so far may be by now. */
    interrupt(startedMs: number, endedMs: number): void {
      for (const { told } of known) {
        if (told.fate === "accepted") continue;
        if (told.attempts === 0) told.startedMs = startedMs;
        Object.assign(told, { fate: "unknown", status: 0, endedMs });
      }
    },
    /** Whether there is an order that another try may help. */
    again: (): boolean => known.some(({ told, again }) => told.fate !== "accepted" && again),
    /** Whether all of it is accepted. */
    accepted: (): boolean => known.every(({ told }) => told.fate === "accepted"),
    /** What is known by now. */
    answers: (): ClientAnswer[] => known.map(({ told }) => told),
  };
}

/** @returns whether another try may help */
function hearOf(
  told: ClientAnswer,
  { status, id, fate, partition, offset }: Outcome,
  startedMs: number,
  endedMs: number,
): boolean {
  const isFirst = told.attempts === 0;
  if (isFirst) Object.assign(told, { startedMs, firstStatus: status });
  told.attempts += 1;
  Object.assign(told, { status, endedMs });
  if (status === accepted) {
    const place = { partition: Number(partition), offset: isPlace(offset) ? offset : null };
    const named = { ...(id !== undefined && { id: String(id) }), ...(isPlace(partition) && { place }) };
    Object.assign(told, { fate: "accepted", ...named });
    return false;
  }
  const setback = readSetback(status, fate);
  told.fate = isFirst || told.fate === "refused" ? setback.fate : "unknown";
  return setback.again;
}

const isPlace = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** Of an order that was accepted before; a contradiction is not forgotten for a later answer. */
function hearAgain(told: ClientAnswer, { status, id }: Outcome): void {
  if (isContradicted(told)) return;
  told.againStatus = status;
  if (id === undefined) delete told.againId;
  else told.againId = String(id);
}

/** Whether an accepted order that was sent once more was accepted under another id, or called a fault. */
export function isContradicted({
  id,
  againStatus,
  againId,
}: Pick<ClientAnswer, "id" | "againStatus" | "againId">): boolean {
  if (againStatus === undefined) return false;
  return againStatus === accepted ? againId !== id : !readSetback(againStatus).again;
}

function outcomesIn(path: string, count: number, status: number, text: string | null): Outcome[] {
  const { outcomes, ...single } = documentIn(text);
  const { fate } = single;
  if (path === "/orders") return [{ ...single, status }];
  const isOutcome = (one: unknown) => typeof one === "object" && one !== null;
  if (
    status === multiStatus &&
    Array.isArray(outcomes) &&
    outcomes.length === count &&
    outcomes.every(isOutcome)
  )
    return outcomes;
  return Array.from({ length: count }, () => ({ status, ...(fate && { fate }) }));
}

/** What an answer's document says; nothing, where it is none. */
function documentIn(text: string | null): Partial<Outcome> & { outcomes?: Outcome[] } {
  try {
    return JSON.parse(text ?? "") ?? {};
  } catch {
    return {};
  }
}

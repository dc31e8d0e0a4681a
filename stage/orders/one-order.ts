/**
 * The way of one order: placed by hand, or found by its id or by its customer and key. What the client saw, where Kafka has
 * it, who handled it when: each stop with its times and the code that does it.
 */

import type { Stop, Way } from "../../page/answers.ts";
import type { Partition, StageState } from "../../page/state.ts";
import { bearerOf, principalOf } from "../../proof/client/client.ts";
import { type Order, partyOf } from "../../src/order.ts";
import { isUuid, orderId, orderKey } from "../../src/wire/order-id.ts";
import type { Answer } from "../reconciler.ts";
import type { Trace } from "../sources/evidence.ts";
import type { Source } from "../sources/source.ts";
import { cut } from "./letters.ts";

const answerLimitMs = 35_000;
const remembered = 50;
/** Of what others say of an order. */
const wordsLength = 500;

/** What the client saw of an order that was placed here. */
interface Placed {
  startedMs: number;
  endedMs: number;
  httpStatus: number;
  said: string;
  fate: Answer["fate"];
  partition?: number;
  offset?: number;
}

export function createOneOrder(source: Source, tell: (answer: Answer) => void, state: () => StageState) {
  const { access } = source;
  const placed = new Map<string, Placed>();

  /** Places an order as it is, whatever it says. @param body JSON; @returns its id */
  async function place(body: string): Promise<string> {
    const key = crypto.randomUUID();
    const id = orderId(partyIn(body), orderKey(key), principalOf(access, key));
    const startedMs = Date.now();
    const own = { "idempotency-key": key, ...bearerOf(access, key) };
    const headers = { "content-type": "application/json", ...own };
    const tls = access && { tls: { ca: access.ca } };
    const signal = AbortSignal.timeout(answerLimitMs);
    const request = { method: "POST", headers, body, signal, ...tls };
    const [httpStatus, text] = await fetch(`${source.url}/orders`, request)
      .then(async (answer): Promise<[number, string]> => [answer.status, await answer.text()])
      .catch((error): [number, string] => [0, `{"title":${JSON.stringify(error.message)}}`]);
    const document = documentIn(text);
    const { partition, offset, title = "", detail = "" } = document;
    const accepted = httpStatus === 202;
    const fate = accepted ? "accepted" : document.fate === "refused" ? "refused" : "unknown";
    const said = accepted
      ? `202: ${partition === undefined ? "without a place" : `${partition}/${offset}`}`
      : `${httpStatus || "no answer"}: ${title} ${detail}`;
    const place = { ...(partition !== undefined && { partition }), ...(offset !== undefined && { offset }) };
    placed.set(id, {
      startedMs,
      endedMs: Date.now(),
      httpStatus,
      said: cut(said.trim(), wordsLength),
      fate,
      ...place,
    });
    if (placed.size > remembered) placed.delete(placed.keys().next().value as string);
    tell({ id, fate, toldId: accepted ? (document.id ?? "") : undefined });
    return id;
  }

  /** @throws when the ledger can't be read */
  async function find(id: string): Promise<Way> {
    const here = placed.get(id);
    const trace = await source.evidence.trace(id);
    const stops: Stop[] = [];
    const placedMs = trace?.placedMs ?? here?.endedMs;
    if (here && placedMs !== undefined) stops.push(atBalancer(here, placedMs), answerOf(here));
    const { partition, offset } = trace ?? here ?? {};
    if (partition !== undefined && placedMs !== undefined) {
      const answeredMs = here?.endedMs ?? placedMs;
      const known = state().partitions[partition];
      stops.push(inKafka({ partition, offset }, known, placedMs, answeredMs));
      stops.push(atConsumer(partition, known?.owner || "a consumer", answeredMs, trace));
      if (trace) stops.push(...endsOf(trace));
    }
    const status = trace?.handledMs ? "handled" : trace?.dead ? "dead" : (here?.fate ?? "not found");
    return { id, status, stops: stops.toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs) };
  }

  return {
    place,
    find,
    /** The id that is meant: itself, or by customer, key and principal (that of a load, if none); undefined: it is neither. */
    idOf({ id, customer, key, principal }: Record<string, string | undefined>): string | undefined {
      if (customer && key) return orderId(customer, orderKey(key), principal || principalOf(access, key));
      return id && isUuid(id.toLowerCase()) ? id.toLowerCase() : undefined;
    },
  };
}

const atBalancer = (here: Placed, placedMs: number): Stop => ({
  name: "balancer",
  what: here.fate === "accepted" ? "HAProxy gives it to a producer" : "HAProxy and a producer answer",
  fromMs: here.startedMs,
  toMs: Math.max(here.startedMs, placedMs),
  code: "lb/haproxy.cfg",
});

const answerOf = ({ startedMs, endedMs, said }: Placed): Stop => ({
  name: "client",
  what: `is answered ${said}`,
  fromMs: startedMs,
  toMs: endedMs,
  code: "src/outcomes.ts",
});

function inKafka(
  place: { partition: number; offset: number | undefined },
  known: Partition | undefined,
  placedMs: number,
  answeredMs: number,
): Stop {
  const { leader = -1, inSync = [] } = known ?? {};
  const others = inSync.filter((one) => one !== leader).map((one) => `kafka${one}`);
  const too = others.length > 0 ? `${others.join(" and ")} too` : "no other is in sync now";
  return {
    name: "Kafka",
    what: `partition ${place.partition}, offset ${place.offset}: ${leader < 0 ? "no broker leads it now" : `kafka${leader} has it, ${too}`}`,
    fromMs: placedMs,
    toMs: Math.max(placedMs, answeredMs),
    code: "src/intake/intake.ts",
  };
}

function atConsumer(partition: number, owner: string, answeredMs: number, trace: Trace | undefined): Stop {
  const doneMs = doneMsOf(trace);
  return {
    name: "consumer",
    what: doneMs
      ? `${owner} has partition ${partition}; delivered ${trace?.deliveries || 1} ×`
      : `waits for ${owner}`,
    fromMs: Math.min(answeredMs, doneMs ?? answeredMs),
    toMs: doneMs ?? Date.now(),
    code: "src/handling/processor.ts",
  };
}

/** None before it is handled or given up; both where a dead letter was sent again. */
function endsOf({ dead, handledMs, effects }: Trace): Stop[] {
  const stop = (name: string, what: string, atMs: number, code: string): Stop[] => [
    { name, what, fromMs: atMs, toMs: atMs, code },
  ];
  const letter = `given up after ${dead?.attempts} attempts: ${cut(dead?.reason ?? "", wordsLength)}`;
  const row = `one row, ${effects} effect${effects === 1 ? "" : "s"}`;
  return [
    ...(dead ? stop("dead letter", letter, dead.atMs, "src/handling/dead-letters.ts") : []),
    ...(handledMs === undefined ? [] : stop("ledger", row, handledMs, "src/handle.ts")),
  ];
}

const doneMsOf = (trace: Trace | undefined) => trace?.handledMs ?? trace?.dead?.atMs;

interface AnswerDocument {
  id?: string;
  partition?: number;
  offset?: number;
  title?: string;
  detail?: string;
  fate?: string;
}

function documentIn(text: string): AnswerDocument {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return { title: text.slice(0, 200) };
  }
}

/** Whose order it is, where it says that: it may be no order at all. */
function partyIn(body: string): string {
  const party: unknown = partyOf(documentIn(body) as unknown as Order);
  return typeof party === "string" ? party : "";
}

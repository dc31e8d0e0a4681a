/**
 * The way of one order: placed by hand, or found by its id or by its customer and key. What the client saw, where Kafka has
 * it, who handled it when: each stop with its times and the code that does it.
 */
import { bearerOf, principalOf } from "../../proof/client/client.ts";
import { isUuid, orderId, orderKey } from "../../src/wire/order-id.ts";
import type { Answer, Trace } from "../reconciler.ts";
import type { Source } from "../sources/source.ts";
import type { Partition, StageState, Stop, Way } from "../state.ts";

const answerLimitMs = 35_000;
const remembered = 50;

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
    const id = orderId(customerIn(body), orderKey(key), principalOf(access, key));
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
      ? `202: ${partition}/${offset}`
      : `${httpStatus || "no answer"}: ${title} ${detail}`;
    const place = { ...(partition !== undefined && { partition }), ...(offset !== undefined && { offset }) };
    placed.set(id, { startedMs, endedMs: Date.now(), httpStatus, said: said.trim(), fate, ...place });
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
      stops.push(...endOf(trace));
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
  return {
    name: "Kafka",
    what: `partition ${place.partition}, offset ${place.offset}: kafka${leader} has it, ${others.join(" and ") || "nobody"} too`,
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

/** None before it is handled or given up. */
function endOf(trace: Trace | undefined): Stop[] {
  const doneMs = doneMsOf(trace);
  if (!trace || doneMs === undefined) return [];
  const { dead, effects } = trace;
  const at = { fromMs: doneMs, toMs: doneMs };
  if (dead) {
    const what = `given up after ${dead.attempts} attempts: ${dead.reason}`;
    return [{ name: "dead letter", what, ...at, code: "src/handling/dead-letters.ts" }];
  }
  const what = `one row, ${effects} effect${effects === 1 ? "" : "s"}`;
  return [{ name: "ledger", what, ...at, code: "src/handle.ts" }];
}

const doneMsOf = (trace: Trace | undefined) => trace?.dead?.atMs ?? trace?.handledMs;

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

function customerIn(body: string): string {
  const { customer } = documentIn(body) as { customer?: unknown };
  return typeof customer === "string" ? customer : "";
}

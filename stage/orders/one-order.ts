/**
 * The way of one order: placed by hand, or found by its id or by its customer and key. What the client saw, where Kafka has
 * it, who handled it when: each stop with its times and the code that does it.
 */
import { bearerOf, principalOf } from "../../proof/client/client.ts";
import { isUuid, orderId, orderKey } from "../../src/wire/order-id.ts";
import type { Answer } from "../reconciler.ts";
import type { Source } from "../sources/source.ts";
import type { StageState, Stop, Way } from "../state.ts";

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
    const [httpStatus, text] = await fetch(`${source.url}/orders`, {
      method: "POST",
      headers,
      body,
      signal,
      ...tls,
    })
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
    tell({ id, fate, toldId: accepted ? document.id : undefined });
    return id;
  }

  /** @throws when the ledger can't be read */
  async function find(id: string): Promise<Way> {
    const here = placed.get(id);
    const trace = await source.evidence.trace(id);
    const stops: Stop[] = [];
    const placedMs = trace?.placedMs ?? here?.endedMs;
    if (here && placedMs !== undefined) {
      stops.push({
        name: "balancer",
        what: here.fate === "accepted" ? "HAProxy gives it to a producer" : "HAProxy and a producer answer",
        ...{ fromMs: here.startedMs, toMs: Math.max(here.startedMs, placedMs), code: "lb/haproxy.cfg" },
      });
    }
    const at = trace ?? (here?.partition === undefined ? undefined : here);
    if (at?.partition !== undefined && placedMs !== undefined) {
      const { leader, inSync, owner } = state().partitions[at.partition] ?? {
        leader: -1,
        inSync: [],
        owner: "",
      };
      const others = inSync.filter((one) => one !== leader).map((one) => `kafka${one}`);
      stops.push({
        name: "Kafka",
        what: `partition ${at.partition}, offset ${at.offset}: kafka${leader} has it, ${others.join(" and ") || "nobody"} too`,
        ...{
          fromMs: placedMs,
          toMs: Math.max(placedMs, here?.endedMs ?? placedMs),
          code: "src/intake/intake.ts",
        },
      });
      const doneMs = trace?.dead?.atMs ?? trace?.handledMs;
      const fromMs = here?.endedMs ?? placedMs;
      stops.push({
        name: "consumer",
        what: doneMs
          ? `${owner || "a consumer"} has partition ${at.partition}; delivered ${trace?.deliveries || 1} ×`
          : `waits for ${owner || "a consumer"}`,
        ...{ fromMs: Math.min(fromMs, doneMs ?? fromMs), toMs: doneMs ?? Date.now() },
        code: "src/handling/processor.ts",
      });
      if (doneMs !== undefined)
        stops.push({
          name: trace?.dead ? "dead letter" : "ledger",
          what: trace?.dead
            ? `given up after ${trace.dead.attempts} attempts: ${trace.dead.reason}`
            : `one row, ${trace?.effects} effect${trace?.effects === 1 ? "" : "s"}`,
          ...{
            fromMs: doneMs,
            toMs: doneMs,
            code: trace?.dead ? "src/handling/dead-letters.ts" : "src/handle.ts",
          },
        });
    }
    if (here) stops.splice(1, 0, { ...answerOf(here), code: "src/outcomes.ts" });
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

const answerOf = ({ startedMs, endedMs, said }: Placed): Omit<Stop, "code"> => ({
  name: "client",
  what: `is answered ${said}`,
  fromMs: startedMs,
  toMs: endedMs,
});

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

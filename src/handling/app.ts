/** The consumer's HTTP interface: where an order is. One that waits for another attempt only the consumer tells that has it. */
import type { Hono } from "hono";
import type { Registry } from "prom-client";
import { principalOf } from "../http/from-balancer.ts";
import { createApp } from "../http/server.ts";
import { type Ledger, LedgerUnavailableError, type LedgerView } from "../ledger/ledger.ts";
import { OutcomeError } from "../outcomes.ts";
import { realClock as clock } from "../runtime/clock.ts";
import { createGather } from "../runtime/gather.ts";
import type { Logger } from "../runtime/log.ts";
import { isOrderOf, isUuid } from "../wire/order-id.ts";
import type { startConsumer } from "./tier.ts";

/** Below the balancer's bound (lb/haproxy.cfg). */
const mostWaitS = 20;
const [askEveryMs, lookUpTimeoutMs] = [100, 5_000];

type Told = Pick<ReturnType<typeof startConsumer>, "unready" | "committed" | "waiting">;

export function createHandlingApp(parts: Told & { ledger: Ledger; registry: Registry; log: Logger }): Hono {
  const { ledger, unready, committed, waiting, registry, log } = parts;
  const lookUp = createLookUps(ledger);
  const app = createApp(log, { registry, unready });
  app.get("/orders/:id", async (c) => {
    const id = c.req.param("id").toLowerCase();
    // What it would ask is being closed.
    if (unready() === "draining") throw unavailable("this consumer ends: ask again");
    const why = "it was never accepted, is forgotten by now, or its place was not given: the Location has it";
    const notKnown = () => new OutcomeError("not_found", `the order ${id} is not known here: ${why}`);
    // The id tells whose the order is, wherever that is: nothing is asked, and nothing waited for.
    const principal = principalOf(c.req.raw.headers);
    if (!isUuid(id) || (principal && !isOrderOf(principal.name, id))) throw notKnown();
    const waitS = preferredWaitS(c.req.header("prefer"));
    if (waitS > 0) c.header("preference-applied", `wait=${waitS}`);
    const { partition = "", offset = "" } = c.req.query();
    const isPlace = /^\d{1,5}$/.test(partition) && /^\d{1,15}$/.test(offset);
    const place = isPlace ? { partition: Number(partition), offset: Number(offset) } : undefined;
    // Before the ledger is asked: what is committed then has its row.
    const comeTo = place && (await committed(place.partition));
    const view = await lookUp(id, waitS * 1_000, c.req.raw.signal).catch((error) => {
      if (!(error instanceof LedgerUnavailableError)) throw error;
      log.warn({ err: error }, "the ledger can't be asked now");
      throw unavailable("the ledger can't be asked now");
    });
    const work = waiting(id);
    // Of one that was given up, and put back since, its letter is not the end.
    if (view && (view.status === "handled" || !work)) return c.json(view);
    if (work) {
      const { attempts, reason, notBeforeMs } = work;
      const nextAt = new Date(clock.epochMs() + notBeforeMs - clock.nowMs()).toISOString();
      return c.json({ id, status: "waiting", attempts, nextAt, reason });
    }
    if (!place || Number(comeTo) > place.offset) throw notKnown();
    if (comeTo === undefined) throw unavailable("Kafka does not tell how far the group has come: ask again");
    return c.json({ id, status: "accepted", ...place });
  });
  return app;
}

const unavailable = (detail: string) => new OutcomeError("ledger_unavailable", detail);

/** RFC 7240, 4.3: how long the client would wait, as far as it may; 0: not at all. */
function preferredWaitS(prefer = ""): number {
  const [, seconds = "0"] = /(?:^|,)\s*wait\s*=\s*"?(\d+)"?\s*(?:$|[,;])/i.exec(prefer) ?? [];
  return Math.min(Number(seconds), mostWaitS);
}

/** All who look at once cost the ledger one query. */
function createLookUps(ledger: Ledger) {
  const find = createGather(Number.POSITIVE_INFINITY, async (ids: string[]) => {
    const late = clock.sleep(lookUpTimeoutMs).then(() => {
      throw new LedgerUnavailableError(`no answer within ${lookUpTimeoutMs} ms`);
    });
    const views = await Promise.race([ledger.find([...new Set(ids)]), late]);
    return (id) => views.get(id);
  });
  return async (id: string, waitMs: number, signal: AbortSignal): Promise<LedgerView | undefined> => {
    const endMs = clock.nowMs() + waitMs;
    for (;;) {
      const nowMs = clock.nowMs();
      // All who wait look at the same moments.
      if (nowMs < endMs) await clock.sleep(Math.min(endMs - nowMs, askEveryMs - (nowMs % askEveryMs)));
      const view = await find(id);
      if (view || clock.nowMs() >= endMs || signal.aborted) return view;
    }
  };
}

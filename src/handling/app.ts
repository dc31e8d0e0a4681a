/**
 * The consumer's HTTP interface: where an order is, and the instance's own paths. Every consumer tells what the ledger
 * knows and what the group has not come to; of an order that waits for another attempt only the one that has it.
 */
import type { Hono } from "hono";
import type { Registry } from "prom-client";
import { principalOf } from "../http/from-balancer.ts";
import { createApp } from "../http/server.ts";
import { type Ledger, LedgerUnavailableError, type LedgerView } from "../ledger/ledger.ts";
import { OutcomeError } from "../outcomes.ts";
import { realClock as clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import { isOrderOf, isUuid } from "../wire/order-id.ts";
import type { Work } from "./work.ts";

/** Below the balancer's bound (lb/haproxy.cfg). */
const mostWaitS = 20;
const askEveryMs = 100;

/** The routes of a consumer. */
export function createHandlingApp(parts: {
  ledger: Ledger;
  unready: () => string | undefined;
  /** The offset that the group committed of a partition, 0 when it has not; undefined when nobody tells. */
  committed: (partition: number) => Promise<number | undefined>;
  /** An order that waits for another attempt here. */
  waiting?: (id: string) => Pick<Work, "attempts" | "notBeforeMs" | "reason"> | undefined;
  registry: Registry;
  log: Logger;
}): Hono {
  const { ledger, unready, committed, waiting, registry, log } = parts;
  const waitFor = createLookUps(ledger);
  const app = createApp(log, { registry, unready });
  app.get("/orders/:id", async (c) => {
    const id = c.req.param("id").toLowerCase();
    // What it would ask is being closed.
    if (unready() === "draining") throw unavailable("this consumer ends: ask again");
    const notKnown = () =>
      new OutcomeError(
        "not_found",
        `the order ${id} is not known here: it was never accepted, or its place was not given, which the Location has`,
      );
    // The id tells whose the order is, wherever that is: nothing is asked, and nothing waited for.
    const principal = principalOf(c.req.raw.headers);
    if (!isUuid(id) || (principal && !isOrderOf(principal.name, id))) throw notKnown();
    const waitS = preferredWaitS(c.req.header("prefer"));
    if (waitS > 0) c.header("preference-applied", `wait=${waitS}`);
    // Before the ledger is asked: what is committed then has its row.
    const place = placeOf(c.req.query("partition"), c.req.query("offset"));
    const comeTo = place && (await committed(place.partition));
    const asked = waitS > 0 ? waitFor(id, waitS * 1_000, c.req.raw.signal) : ledger.find(id);
    const view = await asked.catch((error) => {
      throw error instanceof LedgerUnavailableError
        ? unavailable("the ledger can't be asked just now")
        : error;
    });
    if (view) return c.json(view);
    const work = waiting?.(id);
    if (work) {
      const { attempts, reason, notBeforeMs } = work;
      const nextAt = new Date(clock.epochMs() + notBeforeMs - clock.nowMs()).toISOString();
      return c.json({ id, status: "waiting", attempts, nextAt, reason });
    }
    if (!place) throw notKnown();
    if (comeTo === undefined) throw unavailable("Kafka does not tell how far the group has come: ask again");
    if (comeTo <= place.offset) return c.json({ id, status: "accepted", ...place });
    throw notKnown();
  });
  return app;
}

const unavailable = (detail: string) => new OutcomeError("ledger_unavailable", detail);

/** RFC 7240, 4.3: how long the client would wait, as far as it may; 0: not at all. */
function preferredWaitS(prefer = ""): number {
  const [, seconds = "0"] = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(prefer) ?? [];
  return Math.min(Number(seconds), mostWaitS);
}

function placeOf(partition = "", offset = ""): { partition: number; offset: number } | undefined {
  const isPlace = /^\d{1,5}$/.test(partition) && /^\d{1,15}$/.test(offset);
  return isPlace ? { partition: Number(partition), offset: Number(offset) } : undefined;
}

/** All who wait for an order's end cost the ledger one query at a time, at most one every 100 ms. */
function createLookUps(ledger: Ledger) {
  const waiters = new Set<{ id: string } & PromiseWithResolvers<LedgerView | undefined>>();
  let asking = false;

  async function ask(): Promise<void> {
    asking = true;
    while (waiters.size > 0) {
      const asked = [...waiters];
      try {
        const found = await ledger.findMany([...new Set(asked.map(({ id }) => id))]);
        for (const { id, resolve } of asked) if (found.has(id)) resolve(found.get(id));
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
      await clock.sleep(askEveryMs);
    }
    asking = false;
  }

  return (id: string, timeoutMs: number, signal: AbortSignal): Promise<LedgerView | undefined> => {
    const waiter = { id, ...Promise.withResolvers<LedgerView | undefined>() };
    const leave = () => waiter.resolve(undefined);
    waiters.add(waiter);
    signal.addEventListener("abort", leave);
    const off = clock.timer(timeoutMs, leave);
    if (!asking) void ask();
    return waiter.promise.finally(() => {
      off();
      waiters.delete(waiter);
      signal.removeEventListener("abort", leave);
    });
  };
}

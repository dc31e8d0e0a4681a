/** The consumer's HTTP interface: the ledger's view of an order, and the instance's own paths. */
import type { Hono } from "hono";
import type { Registry } from "prom-client";
import { createApp } from "../http/server.ts";
import { type Ledger, LedgerUnavailableError } from "../ledger/ledger.ts";
import type { Logger } from "../log.ts";
import { isUuid } from "../order-id.ts";
import { OutcomeError } from "../outcomes.ts";

/** The routes of a consumer. */
export function createHandlingApp(parts: {
  ledger: Ledger;
  unready: () => string | undefined;
  registry: Registry;
  log: Logger;
}): Hono {
  const { ledger, unready, registry, log } = parts;
  const app = createApp(log, { registry, unready });
  app.get("/orders/:id", async (c) => {
    const id = c.req.param("id").toLowerCase();
    const view = isUuid(id) ? await look(ledger, id) : undefined;
    if (!view)
      throw new OutcomeError(
        "not_found",
        `the order ${id} has not been handled so far, or was never accepted`,
      );
    return c.json(view);
  });
  return app;
}

async function look(ledger: Ledger, id: string) {
  try {
    return await ledger.find(id);
  } catch (error) {
    if (!(error instanceof LedgerUnavailableError)) throw error;
    throw new OutcomeError("ledger_unavailable", error.message);
  }
}

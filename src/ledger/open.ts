/** Which ledger a URL means. */
import type { Ledger } from "./ledger.ts";
import { createPostgresLedger, type LedgerOptions } from "./postgres.ts";
import { createSqliteLedger } from "./sqlite.ts";

/** `postgres://…` or `sqlite:PATH`, as src/config.ts has checked. Connects when it is first used. */
export const createLedger = (url: string, options: LedgerOptions): Ledger =>
  url.startsWith("sqlite:")
    ? createSqliteLedger(url.slice("sqlite:".length))
    : createPostgresLedger(url, options);

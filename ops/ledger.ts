/**
 * Makes the ledger's tables and drops what is past its retention, as their owner: where consumers record under a role that may
 * only SELECT, INSERT and UPDATE, this runs before they start, and daily. `bun ops/ledger.ts`, with the consumers' variables,
 * LEDGER_URL being the owner's. Exit 0: both are done. Exit 1: why not.
 */
import { ownCommandLine } from "../kit/arguments.ts";
import { consumerConfig } from "../src/config.ts";
import { migrations } from "../src/handle.ts";
import { ledgerRetentionMs } from "../src/handling/tier.ts";
import { createLedger } from "../src/ledger/open.ts";
import { startWith } from "../src/runtime/shutdown.ts";

const usage = `bun ops/ledger.ts
Makes the ledger's tables and drops what is past its retention, by the consumers' variables; LEDGER_URL is their owner's.
Exit code: 0 both are done; 1 why not; 2 the command was not understood.`;
ownCommandLine(usage, {}, () => undefined);

const config = startWith(() => consumerConfig());
const options = { connections: 1, handlerTimeoutMs: config.HANDLER_TIMEOUT_MS };
const ledger = startWith(
  () => createLedger(config.LEDGER_URL, options),
  "cannot start with this LEDGER_URL, where a password has %40 for @, %23 for # and so on: ",
);
try {
  await ledger.open(migrations);
  const retentionMs = await ledgerRetentionMs(config);
  if (Number.isFinite(retentionMs)) for (const done of await ledger.expire(retentionMs)) console.log(done);
  console.log("the ledger's tables are as they should be");
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await ledger.close();
}
process.exit();

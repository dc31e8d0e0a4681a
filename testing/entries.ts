/** Ledger entries for tests: each is a new order, unless it is told otherwise. */
import {
  BatchError,
  type Entry,
  type Failure,
  type LedgerView,
  type Recorded,
} from "../src/ledger/ledger.ts";
import { sampleOrder } from "../src/sample.ts";
import { orderId } from "../src/wire/order-id.ts";

let sequence = 0;

/** An order of this customer as it was delivered. */
export function entryOf(customer: string, changes: Partial<Entry> = {}): Entry {
  sequence += 1;
  const id = orderId(customer, `key ${sequence}`);
  const placedAt = new Date().toISOString();
  return {
    order: { ...sampleOrder(0, customer), id, placedAt },
    digest: `digest ${sequence}`,
    partition: 0,
    offset: sequence,
    ...changes,
  };
}

type Finds = { find(ids: readonly string[]): Promise<ReadonlyMap<string, LedgerView>> };

/** What a ledger knows of one order. */
export const viewOf = async (ledger: Finds, id: string): Promise<LedgerView | undefined> =>
  (await ledger.find([id])).get(id);

/** Who failed, and how; of a batch of which nothing was written as of one whose others were recorded. @throws what else befell it */
export async function failuresOf(entries: readonly Entry[], recording: Promise<Recorded[]>) {
  const ended = await recording.catch((error) => {
    if (error instanceof BatchError) return entries.map((entry) => error.failures.get(entry));
    throw error;
  });
  return new Map(
    entries.flatMap((entry, at) => {
      const end = ended[at];
      return typeof end === "object" ? [[entry, end] as [Entry, Failure]] : [];
    }),
  );
}

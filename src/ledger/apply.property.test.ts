// Whatever handlers do side by side in a transaction: who is handled has all of its effect, who failed has none of it, and nobody
// is blamed for another.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { entryOf } from "../../testing/entries.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { BatchError, type Entry, type Ledger, type Tx } from "./ledger.ts";
import { createLedger } from "./open.ts";

/** So long that nobody is late, on a slow machine either. */
const limitMs = 10_000;
const schema = ["CREATE TABLE effects (id TEXT NOT NULL)"];
type Write = () => Promise<unknown>;
type Does = (tx: Tx, write: Write, times: number) => Promise<unknown>;

const write = ({ order }: Entry, tx: Tx): Promise<unknown> => tx`INSERT INTO effects VALUES (${order.id})`;
async function writeAll(write: Write, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await write();
}
const fail = (tx: Tx): Promise<unknown> => tx`INSERT INTO nowhere VALUES (1)`;
const unheard = (work: Promise<unknown>): void => void work.catch(() => undefined);

const well: Record<string, Does> = {
  "waits for each": (_, write, times) => writeAll(write, times),
  "waits for something else first": async (_, write, times) => {
    await Bun.sleep(2);
    await writeAll(write, times);
  },
  "asks for all at once": (_, write, times) => Promise.all(Array.from({ length: times }, write)),
  "waits for none": async (_, write, times) => unheard(writeAll(write, times)),
};
const badly: Record<string, Does> = {
  "throws at once": () => Promise.reject(new Error("sour")),
  "throws when all is written": async (_, write, times) => {
    await writeAll(write, times);
    throw new Error("sour");
  },
  "swallows what failed": (tx, write, times) =>
    writeAll(write, times).then(() => fail(tx).catch(() => undefined)),
  "asks at once for what fails": (tx, write, times) =>
    Promise.allSettled([...Array.from({ length: times }, write), fail(tx)]),
  "leaves behind what fails": async (tx, write, times) =>
    unheard(writeAll(write, times).then(() => fail(tx))),
  "leaves behind what is forbidden": async (tx, write, times) => {
    const forbidden = async () => {
      await tx`COMMIT`;
    };
    unheard(writeAll(write, times).then(forbidden));
  },
  "tries again and again": async (tx, write) => {
    const goOn = async () => {
      await fail(tx).catch(() => undefined);
      for (let tries = 0; tries < 1_000; tries += 1) await write().catch(() => undefined);
    };
    unheard(goOn());
  },
};
const all = { ...well, ...badly };

async function effectsIn(ledger: Ledger): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await ledger.record([entryOf("reader")], async (_, tx) => {
    for (const { id } of await tx<{ id: string }>`SELECT id FROM effects`)
      found.set(id, (found.get(id) ?? 0) + 1);
  });
  return found;
}

const customers = fc.nat(11).map((n) => `c${n}`);
// Three of four do well, or hardly anybody would be kept.
const does = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...Object.keys(well)) },
  fc.constantFrom(...Object.keys(badly)),
);
const batches = fc.array(fc.tuple(customers, does, fc.integer({ min: 1, max: 4 })), {
  minLength: 1,
  maxLength: 40,
});

test.each(["sqlite", "postgres"])(
  "%s: handled is all of an effect, failed is nothing of it, and who fails did",
  async (kind) => {
    const folder = mkdtempSync(join(tmpdir(), "coffee-orders-apply-"));
    using server = startPostgres();
    const url = kind === "sqlite" ? `sqlite:${join(folder, "ledger.sqlite")}` : server.url;
    const ledger = createLedger(url, { connections: 4, handlerTimeoutMs: limitMs });
    await ledger.open(schema);
    const property = fc.asyncProperty(batches, async (batch) => {
      const plans = new Map(batch.map(([customer, does, times]) => [entryOf(customer), { does, times }]));
      const entries = [...plans.keys()];
      const recorded = await ledger
        .record(
          entries,
          async (entry, tx) => {
            const { does, times } = plans.get(entry) as { does: string; times: number };
            await all[does]?.(tx, () => write(entry, tx), times);
          },
          limitMs,
        )
        .catch((error) => {
          if (!(error instanceof BatchError) || entries.length > 1) throw error;
          return entries.map((entry) => error.failures.get(entry));
        });
      const effects = await effectsIn(ledger);
      for (const [at, [entry, { does, times }]] of [...plans].entries()) {
        const isHandled = recorded[at] === "handled";
        expect([does, effects.get(entry.order.id) ?? 0]).toEqual([does, isHandled ? times : 0]);
        if (does in badly) expect([does, isHandled]).toEqual([does, false]);
        // Left out with one of its customer before it, or for want of time.
        else if (!isHandled) expect([does, recorded[at]]).toEqual([does, undefined]);
      }
    });
    await fc.assert(property, { numRuns: 60 });
    await ledger.close();
    rmSync(folder, { recursive: true });
  },
  120_000,
);

/**
 * The ledger's rate by what it holds already: PostgreSQL alone, batches of new orders on as many connections as a consumer
 * has. Filled beforehand by the database itself, in one generation or in three, of which the oldest is dropped in the end.
 */
import { SQL } from "bun";
import type { Entry, Ledger } from "../../src/ledger/ledger.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { entryOf } from "../../testing/entries.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { type ResultRow, spreads } from "../results.ts";
import { brief, type Context } from "../rig/compare.ts";

const connections = 4;
const batchOrders = 500;
const dayMs = 86_400_000;
const generations = 3;
const retentionMs = 30 * dayMs;
/** The index of the newest generation fits into it; what an administrator gives a database of this size. */
const settings = { shared_buffers: "2GB", max_wal_size: "8GB", wal_compression: "on" };

type Held = { rows: number; generations: number };

/** Each in turn, `--rounds` times `--seconds`. */
export async function compareHeld({ effort, stop, say }: Omit<Context, "brokers">): Promise<ResultRow[]> {
  const million = effort.quick ? 1_000 : 1_000_000;
  const all: Held[] = [
    { rows: million, generations: 1 },
    { rows: 30 * million, generations: 1 },
    { rows: 30 * million, generations },
  ];
  using postgres = startPostgres(settings);
  const sides = [];
  for (const held of all) {
    const url = await postgres.newDatabase();
    await fill(url, held);
    say(`${held.rows} rows are there`);
    sides.push({ held, url, rounds: [] as Record<string, number>[] });
  }
  for (let round = 1; round <= effort.rounds; round += 1)
    for (const { held, url, rounds } of sides) {
      stop.throwIfAborted();
      const ledger = createLedger(url, { connections, handlerTimeoutMs: 10_000 });
      await ledger.open([]);
      await rate(ledger, 1_000 * Math.min(effort.seconds, 5));
      rounds.push(await rate(ledger, 1_000 * effort.seconds));
      await ledger.close();
      say(`${held.rows} rows in ${held.generations}, round ${round}: ${brief(rounds.at(-1) ?? {})}`);
    }
  const rows = sides.map(({ held, rounds }) => ({
    side: `${held.rows.toLocaleString("en")} rows`,
    load: held.generations === 1 ? "one generation" : `${held.generations} generations`,
    figures: spreads(rounds),
  }));
  const last = sides.at(-1) as (typeof sides)[number];
  const figures = await drop(last.url, 1_000 * effort.seconds);
  say(`while a generation is dropped: ${brief(figures)}`);
  const load = `${generations} generations, the oldest dropped`;
  return [...rows, { side: rows.at(-1)?.side ?? "", load, figures: spreads([figures]) }];
}

/** The rate while the oldest generation is dropped, half of the time in. */
async function drop(url: string, forMs: number): Promise<Record<string, number>> {
  const ledger = createLedger(url, { connections: connections + 1, handlerTimeoutMs: 10_000 });
  await ledger.open([]);
  const sql = new SQL({ url, max: 1 });
  await sql`UPDATE ledger_generations SET ended_at = ended_at - interval '31 days'
    WHERE name = (SELECT min(name) FROM ledger_generations WHERE ended_at IS NOT NULL)`;
  const [figures, done] = await Promise.all([
    rate(ledger, forMs),
    Bun.sleep(forMs / 2).then(() => ledger.expire(retentionMs)),
  ]);
  if (done.length !== 1) throw new Error(`a generation was to be dropped: ${done.join("; ") || "none was"}`);
  await sql.close();
  await ledger.close();
  return figures;
}

/** Makes a ledger that holds so much in an empty database. */
async function fill(url: string, held: Held): Promise<void> {
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
  await ledger.open([]);
  const sql = new SQL({ url, max: 1 });
  for (let generation = 1; generation <= held.generations; generation += 1) {
    // The index last, as it would be after hours of orders, and in a fraction of their time.
    const [{ name: key }] = await sql`
      SELECT conname AS name FROM pg_constraint WHERE conrelid = 'ledger_current'::regclass AND contype = 'p'`;
    await sql.unsafe(`ALTER TABLE ledger_current DROP CONSTRAINT ${key}`);
    await sql.unsafe(`
      INSERT INTO ledger_current (id, customer, digest, "partition", "offset", placed_at)
      SELECT gen_random_uuid(), 'c' || n % 1000, substr(md5(n::text) || md5(n::text), 1, 43), n % 12, n, now()
      FROM generate_series(1, ${Math.ceil(held.rows / held.generations)}) AS n`);
    await sql.unsafe("ALTER TABLE ledger_current ADD PRIMARY KEY (id)");
    if (generation === held.generations) break;
    await sql`UPDATE ledger_generations SET begun_at = begun_at - interval '16 days'`;
    await ledger.expire(retentionMs);
  }
  await sql.unsafe("VACUUM ANALYZE ledger_current");
  await sql.unsafe("CHECKPOINT");
  await sql.close();
  await ledger.close();
}

/** As long as a real one. */
const digest = "0".repeat(43);
const batch = (): Entry[] => Array.from({ length: batchOrders }, (_, n) => entryOf(`c${n}`, { digest }));

/** @returns new orders a second, each in a committed row, and the longest that one waited for it */
async function rate(ledger: Ledger, forMs: number): Promise<Record<string, number>> {
  const begin = performance.now();
  let [recorded, longestMs] = [0, 0];
  const work = async () => {
    while (performance.now() < begin + forMs) {
      const sinceMs = performance.now();
      const verdicts = await ledger.record(batch(), async () => {});
      longestMs = Math.max(longestMs, performance.now() - sinceMs);
      if (verdicts.some((verdict) => verdict !== "handled")) throw new Error("an order was not new");
      recorded += verdicts.length;
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return { "orders/s": (1_000 * recorded) / (performance.now() - begin), "longest ms": longestMs };
}

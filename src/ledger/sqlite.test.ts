/** What becomes of the ledger when SQLite's file is not to be had: it waits, or says that it can't. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { copyFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { entryOf, viewOf } from "../../testing/entries.ts";
import { BatchError, type Entry, type Ledger, LedgerUnavailableError, type Tx } from "./ledger.ts";
import { createLedger } from "./open.ts";

const options = { connections: 1, handlerTimeoutMs: 10_000 };
let directory: string;
let path: string;
let ledger: Ledger;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "coffee-orders-sqlite-"));
  path = join(directory, "ledger.sqlite");
  ledger = createLedger(`sqlite:${path}`, options);
  await ledger.open(["CREATE TABLE IF NOT EXISTS effects (id TEXT PRIMARY KEY, text TEXT NOT NULL)"]);
});
afterAll(async () => {
  await ledger.close();
  rmSync(directory, { recursive: true });
});

/** Another process that holds the file's lock until it is killed. */
async function lockFile() {
  const program = `
    const { Database } = require("bun:sqlite");
    const database = new Database(${JSON.stringify(path)});
    database.run("PRAGMA busy_timeout = 5000");
    database.run("BEGIN IMMEDIATE");
    console.log("locked");
    setInterval(() => {}, 60_000);`;
  const holder = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  for await (const _ of holder.stdout) break;
  return holder;
}

test("a lock that another process holds is waited for, and nothing else stands still", async () => {
  const holder = await lockFile();
  const entry = entryOf("c1");
  let verdicts: unknown[] | undefined;
  const record = ledger.record([entry], async () => {}).then((found) => (verdicts = found));
  try {
    // Others are served while it waits: a look-up, the event loop, another process' death.
    expect(await viewOf(ledger, entry.order.id)).toBeUndefined();
    const deadline = performance.now() + 100;
    await until("the event loop turned for a while", () => performance.now() > deadline);
    expect(verdicts).toBeUndefined();
  } finally {
    holder.kill("SIGKILL");
  }
  await record;
  expect(verdicts).toEqual(["handled"]);
});

test("of many who wait for a lock none waits for longer than the first, be it for their turn", async () => {
  await using _ = await lockFile();
  using now = spyOn(performance, "now");
  const records = ["c1", "c2", "c3"].map((customer) => ledger.record([entryOf(customer)], async () => {}));
  const laterMs = performance.now() + 21_000;
  now.mockImplementation(() => laterMs);
  for (const { status } of await Promise.allSettled(records)) expect(status).toBe("rejected");
});

test("a full disk is the ledger's failure, not the order's, and it recovers when there is room", async () => {
  const full = createLedger(`sqlite:${join(directory, "full.sqlite")}`, options);
  const table = "CREATE TABLE IF NOT EXISTS effects (id TEXT PRIMARY KEY, text TEXT NOT NULL)";
  using run = spyOn(Database.prototype, "run");
  await full.open([table]);
  const connection = run.mock.contexts[0] as Database;
  const limitTo = (pages: number) => connection.run(`PRAGMA max_page_count = ${pages}`);
  limitTo(20);
  const entry = entryOf("c1");
  const text = "x".repeat(100_000);
  const record = () =>
    full.record([entry], async ({ order }, tx) => {
      await tx`INSERT INTO effects VALUES (${order.id}, ${text})`;
    });
  await expect(record()).rejects.toThrow(LedgerUnavailableError);
  const burial = { topic: "orders", partition: 0, offset: 1, orderId: null, reason: text, attempts: 1 };
  await expect(full.bury(burial)).rejects.toThrow(LedgerUnavailableError);
  expect(await viewOf(full, entry.order.id)).toBeUndefined();

  limitTo(1_000_000);
  expect(await record()).toEqual(["handled"]);
  await full.close();
});

test("a file that can't be opened is the ledger's failure too, at its opening", async () => {
  const nowhere = createLedger(`sqlite:${join(directory, "no", "such", "folder", "ledger.sqlite")}`, options);
  await expect(nowhere.open([])).rejects.toThrow(LedgerUnavailableError);
  await nowhere.close();
});

test("a file that is no database is left for the one that takes its place", async () => {
  const place = join(directory, "other.sqlite");
  writeFileSync(place, "no database ".repeat(100));
  const waiting = createLedger(`sqlite:${place}`, options);
  const entry = entryOf("c1");
  await expect(waiting.open([])).rejects.toThrow(LedgerUnavailableError);
  await expect(viewOf(waiting, entry.order.id)).rejects.toThrow(LedgerUnavailableError);
  rmSync(place);
  await waiting.open([]);
  expect(await waiting.record([entry], async () => {})).toEqual(["handled"]);
  expect(await viewOf(waiting, entry.order.id)).toMatchObject({ status: "handled" });
  await waiting.close();
});

test("what the order is to blame for is not the ledger's failure", async () => {
  const record = ledger.record([entryOf("c1")], async ({ order }, tx) => {
    await tx`INSERT INTO effects VALUES (${order.id}, ${null})`;
  });
  await expect(record).rejects.not.toThrow(LedgerUnavailableError);
});

test("several statements in one are refused, for only the first would be run; what only looks like that is not", async () => {
  const several = ledger.record([entryOf("c1")], async (_, tx) => {
    await tx`INSERT INTO effects VALUES ('one', 'a'); INSERT INTO effects VALUES ('two', 'b')`;
  });
  await expect(several).rejects.toThrow(BatchError);
  const one = ledger.record([entryOf("c1")], async (_, tx) => {
    await tx`INSERT INTO effects VALUES ('one;two', 'it''s; "a"') /* ; b */; -- ; c
    ;`;
  });
  expect(await one).toEqual(["handled"]);
});

test("a statement that ends the transaction takes no other's effect out of it", async () => {
  const [bad, good] = [entryOf("c1"), entryOf("c2")];
  const write = async ({ order }: Entry, tx: Tx) => {
    await tx`INSERT OR ROLLBACK INTO effects VALUES (${order.id}, ${"a"})`;
  };
  const failing = ledger.record([bad, good], async (entry, tx) => {
    // SQLite rolls back all that went before the second, and what comes after would be committed by itself.
    if (entry === bad) await write(entry, tx).then(() => write(entry, tx));
    await Bun.sleep(1);
    await write(entry, tx);
  });
  const failed: BatchError = await failing.catch((error) => error);
  expect([...failed.failures.keys()]).toEqual([bad]);
  expect(await ledger.record([good], write)).toEqual(["handled"]);
});

test("constraints may be put off to the commit, and nothing else of the connection may be set", async () => {
  const setting = (name: string) =>
    ledger.record([entryOf("c1")], async (_, tx) => {
      await tx(Object.assign([`PRAGMA ${name}`], { raw: [] }));
    });
  expect(await setting("defer_foreign_keys = ON")).toEqual(["handled"]);
  for (const name of ["locking_mode = EXCLUSIVE", "query_only = ON", "busy_timeout = 60000"])
    await expect(setting(name)).rejects.toThrow(BatchError);
  expect(await ledger.record([entryOf("c1")], async () => {})).toEqual(["handled"]);
});

test("what is older than the retention goes in steps, between which others record", async () => {
  const old = Array.from({ length: 1_200 }, () => entryOf("c1"));
  const young = entryOf("c1");
  await ledger.record([...old, young], async () => {});
  await ledger.bury({ topic: "orders", partition: 0, offset: 1, orderId: null, reason: "", attempts: 1 });
  const file = new Database(path);
  const longAgo = new Date(Date.now() - 90_000_000).toISOString();
  file.query("UPDATE ledger SET handled_at = ? WHERE id <> ?").run(longAgo, young.order.id);
  file.query("UPDATE dead_letters SET dead_at = ?").run(longAgo);
  file.close();
  // What comes once more may come again for as long as if it were new.
  const copied = old.pop() as Entry;
  await ledger.record([{ ...copied, offset: 9_999 }], async () => {});

  const order: string[] = [];
  const expiring = ledger.expire(86_400_000).then((done) => order.push(...done));
  const recording = ledger.record([entryOf("c2")], async () => {}).then(() => order.push("recorded"));
  await Promise.all([expiring, recording]);
  expect(order[0]).toBe("recorded");
  expect(order[1]).toMatch(/^\d+ rows of ledger were removed$/);
  expect(order[2]).toBe("1 rows of dead_letters were removed");
  const found = await ledger.find([...old, copied, young].map(({ order }) => order.id));
  expect(new Set(found.keys())).toEqual(new Set([copied.order.id, young.order.id]));
});

test("a file that was removed or replaced under it takes no order with it", async () => {
  const place = join(directory, "moved.sqlite");
  const moved = createLedger(`sqlite:${place}`, options);
  await moved.open([]);
  const [before, after] = [entryOf("c1"), entryOf("c1")];
  expect(await moved.record([before], async () => {})).toEqual(["handled"]);
  renameSync(place, `${place}.old`);
  await expect(moved.record([after], async () => {})).rejects.toThrow(LedgerUnavailableError);
  new Database(place, { create: true }).close();
  await expect(moved.record([after], async () => {})).rejects.toThrow(LedgerUnavailableError);
  await moved.close();
});

test.each([
  ["-wal", "file"],
  ["-shm", "file"],
  ["-wal", "link to it"],
])(
  "where its %s is removed under it, and it was named by a %s, nothing committed is only there",
  async (end, by) => {
    const place = join(directory, `without${end} by ${by}.sqlite`);
    const name = by === "file" ? place : `${place}.link`;
    if (name !== place) symlinkSync(place, name);
    const struck = createLedger(`sqlite:${name}`, options);
    await struck.open([]);
    const [before, after] = [entryOf("c1"), entryOf("c1")];
    expect(await struck.record([before], async () => {})).toEqual(["handled"]);
    rmSync(place + end);
    await expect(struck.record([after], async () => {})).rejects.toThrow(/was replaced/);
    // As if it were killed now: what is closed in an orderly way is in the file.
    copyFileSync(place, `${place}.copy`);
    await struck.close();
    const found = createLedger(`sqlite:${place}.copy`, options);
    await found.open([]);
    expect(new Set((await found.find([before, after].map(({ order }) => order.id))).keys())).toEqual(
      new Set([before.order.id, after.order.id]),
    );
    await found.close();
  },
);

test("who still asks when it is closed is told that it can't be asked", async () => {
  const closed = createLedger(`sqlite:${join(directory, "closed.sqlite")}`, options);
  await closed.open([]);
  await closed.find([]);
  await closed.close();
  await expect(closed.find([entryOf("c1").order.id])).rejects.toThrow(LedgerUnavailableError);
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { until } from "../../kit/until.ts";
import { effectTable, handler, migrations } from "../../src/handle.ts";
import type { Entry, Ledger } from "../../src/ledger/ledger.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { orderOf } from "../client/mix.ts";
import { type ClientAnswer, digestOf, orderIdOf } from "../history/history.ts";
import { told } from "../testing/histories.ts";
import { type LookUp, lookUpAt } from "./look-up.ts";
import { tally } from "./record.ts";

let server: PostgresServer;
let ledger: Ledger;
beforeAll(async () => {
  server = startPostgres();
  ledger = createLedger(server.url, { connections: 1, handlerTimeoutMs: 10_000 });
  await ledger.open(migrations);
}, 120_000);
afterAll(async () => {
  await ledger.close();
  server[Symbol.dispose]();
});

/** What a consumer says of an order that is not in Kafka either. */
const nobodyKnows: LookUp = async () => "nobody knows it";
const answer = (changes: Partial<ClientAnswer> = {}) => told(crypto.randomUUID(), changes);

/** Orders that are in the ledger, each with so many effects. */
async function handled(count: number, times = 1, changes: Partial<ClientAnswer> = {}, digest = digestOf) {
  const answers = Array.from({ length: count }, () => answer(changes));
  await handle(answers, times, digest);
  return answers;
}

async function handle(answers: readonly ClientAnswer[], times = 1, digest = digestOf): Promise<void> {
  const entries = answers.map((one, offset): Entry => {
    const placed = { ...orderOf(one), id: orderIdOf(one), placedAt: new Date().toISOString() };
    return { order: placed, digest: digest(one), partition: 0, offset };
  });
  await ledger.record(entries, async ({ order }, tx) => {
    const context = { tx, attempt: 1, signal: AbortSignal.abort() };
    for (let n = 0; n < times; n += 1) if ("apply" in handler) await handler.apply(order, context);
  });
}

async function dead(fate: "accepted" | "refused"): Promise<ClientAnswer> {
  const one = answer({ fate });
  const place = { topic: "orders", partition: 0, offset: Math.floor(Math.random() * 2 ** 40) };
  await ledger.bury({ ...place, orderId: orderIdOf(one), reason: "no milk", attempts: 1 });
  return one;
}

describe("the client's record against the ledger", () => {
  test("holds when every accepted order is there once, with one effect", async () => {
    const place = { partition: 3, offset: 17 };
    const { held, once, line } = await tally(await handled(3, 1, { place }), server.url, nobodyKnows);
    expect(line).toBe(`accepted 3, not accepted 0, handled 3, redelivered 0, ${effectTable} 3, lost 0`);
    expect({ held, once }).toEqual({ held: true, once: true });
  });

  test.each([
    ["an accepted order is nowhere", async () => [...(await handled(1)), answer()], "lost 1"],
    ["an effect happened twice", () => handled(1, 2), `${effectTable} 2`],
    ["an effect is missing", () => handled(1, 0), `${effectTable} 0, lost 1`],
    [
      "one effect is missing and another happened twice",
      async () => [...(await handled(1, 0)), ...(await handled(1, 2))],
      `${effectTable} 2, lost 1`,
    ],
    ["two orders got one id", async () => (await handled(1)).flatMap((one) => [one, one]), "accepted 2"],
    [
      "an order is a dead letter",
      async () => [...(await handled(1)), await dead("accepted")],
      "lost 0; given up and kept as dead letters 1",
    ],
    [
      "a refused order is a dead letter",
      async () => [...(await handled(1)), await dead("refused")],
      "phantoms 1",
    ],
    [
      "another's order was handled in the place of one",
      async () => [...(await handled(1)), ...(await handled(1, 1, {}, () => "of another"))],
      "lost 0; altered 1",
    ],
    [
      "the effect of an order that was not accepted happened twice",
      async () => [...(await handled(1)), ...(await handled(1, 2, { fate: "unknown" }))],
      "ledger duplicates 1",
    ],
    [
      "a row is there twice, and another not at all",
      async () => {
        const [one, other] = await handled(2);
        const [twice, gone] = [one, other].map((order) => orderIdOf(order as ClientAnswer));
        await using sql = new SQL({ url: server.url, max: 1 });
        await sql.unsafe("CREATE TABLE ended (LIKE ledger INCLUDING DEFAULTS) INHERITS (ledger_past)");
        await sql`INSERT INTO ended SELECT * FROM ledger_current WHERE id = ${twice}`;
        await sql`DELETE FROM ledger_current WHERE id = ${gone}`;
        return [one, other] as ClientAnswer[];
      },
      "handled 2, redelivered 0",
    ],
    ["nothing was accepted", async () => [answer({ fate: "refused" })], "accepted 0"],
    ["an order was accepted under what is no id", () => handled(1, 1, { id: "mine" }), "lost 0; mistaken 1"],
    [
      "an order was accepted under another's id",
      async () => {
        const [one, other] = await handled(2);
        return [{ ...one, id: other?.id }, other] as ClientAnswer[];
      },
      "lost 0; mistaken 1",
    ],
    ["one was denied when it was sent again", () => handled(1, 1, { againStatus: 422 }), "mistaken 1"],
    [
      "a refused order is there",
      async () => [...(await handled(1)), ...(await handled(1, 1, { fate: "refused" }))],
      "phantoms 1",
    ],
  ])("does not hold when %s", async (_, answers, words) => {
    const { held, once, line } = await tally(await answers(), server.url, nobodyKnows, { drainTimeoutMs: 0 });
    expect({ held, once }).toEqual({ held: false, once: false });
    expect(line).toContain(words);
  });

  test("does not hold when what was refused is handled a while after its answer", async () => {
    const good = await handled(1);
    const late = answer({ fate: "refused", endedMs: Date.now() });
    const told = tally([...good, late], server.url, nobodyKnows, { writtenWithinMs: 10_000 });
    let isOver = false;
    const over = told.finally(() => {
      isOver = true;
    });
    await using sql = new SQL({ url: server.url, max: 1 });
    const counted = () => sql`SELECT 1 FROM pg_stat_activity
      WHERE query LIKE '%count(DISTINCT id)%' AND state = 'idle' AND pid <> pg_backend_pid()`;
    await until("all that was accepted is counted", async () => isOver || (await counted()).length > 0);
    await handle([late]);
    await over;
    expect((await told).line).toContain("phantoms 1");
  });

  test("what waits in Kafka is not lost, and what nobody says is not known: there is no verdict, and it is said", async () => {
    const place = { partition: 3, offset: 17 };
    const [waits, unsaid, known] = [answer({ place }), answer(), answer({ place })];
    const askedFor: string[] = [];
    const edge = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0 },
      fetch({ url }) {
        const { pathname, search } = new URL(url);
        askedFor.push(pathname + search);
        return new Response(null, { status: pathname.endsWith(orderIdOf(known)) ? 404 : 200 });
      },
    });
    const lookUp = lookUpAt(`http://127.0.0.1:${edge.port}`);
    const told = (answers: ClientAnswer[], ask = lookUp) =>
      tally(answers, server.url, ask, { drainTimeoutMs: 0 });
    const early = await told([...(await handled(1)), waits]);
    expect(early).toMatchObject({ held: undefined, once: undefined });
    expect(early.line).toContain("lost 0; not handled yet 1, which wait in Kafka");
    expect(askedFor).toEqual([`/orders/${orderIdOf(waits)}?partition=3&offset=17`]);
    const gone = await told([waits, known]);
    expect(gone).toMatchObject({ held: false, once: false });
    expect(gone.line).toContain("lost 1; not handled yet 1, which wait in Kafka");
    // One that was not accepted is told, whatever becomes of those that wait.
    const refused = await told([waits, answer({ fate: "refused" })]);
    expect(refused).toMatchObject({ held: false, once: undefined });
    await edge.stop(true);
    const silent = await told([waits, unsaid]);
    expect(silent).toMatchObject({ held: undefined, once: undefined });
    expect(silent.line).toContain("lost 0; not handled 2, of which no consumer says where they are");
  });

  test("a ledger that does not answer is told, and waited for no longer", async () => {
    await using other = new SQL({ url: server.url, max: 1 });
    await other.begin(async (tx) => {
      await tx`LOCK TABLE ledger_current IN ACCESS EXCLUSIVE MODE`;
      const asked = tally([answer()], server.url, nobodyKnows, { answerLimitMs: 200 });
      await expect(asked).rejects.toThrow("the ledger can't be read: no answer within 0.2 s");
    });
  });

  test("does not hold when an order was not accepted, and tells that the accepted ones are there once", async () => {
    const answers = [...(await handled(1)), answer({ fate: "refused" })];
    const { held, once, line } = await tally(answers, server.url, nobodyKnows, { drainTimeoutMs: 0 });
    expect({ held, once }).toEqual({ held: false, once: true });
    expect(line).toContain("not accepted 1");
  });
});

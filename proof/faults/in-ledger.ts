// Faults inside the ledger's database, as SQL: what an effect needs is away, some orders are refused for good, the server
// dies in the middle of a commit.
import type { SQL } from "bun";
import type { Container, Topology } from "../../infra/topology.ts";
import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { effectTable } from "../../src/handle.ts";
import { tierOf } from "../system/system.ts";
import { each, type Fault, startAgain } from "./fault.ts";

const answerLimitMs = 60_000;
const commitLimitMs = 20_000;
/** One order in so many, by its id. */
const poisonedOneIn = 50;
/** Nobody else waits for so long in vain: it is the commit that waits for a replica that there is not. */
const inCommit = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/** Whether an order is refused for good while `poison` lasts. An id begins with its principal's digits. */
export const isPoisoned = (id: string): boolean => Number.parseInt(id.slice(-4), 16) % poisonedOneIn === 0;

export const effectAway: Fault = {
  what: "takes away the table that every order's effect is written to",
  inject: async ({ topology }, targets) => {
    await inLedger(topology, targets, async (sql) => {
      await sql.unsafe(`ALTER TABLE ${table()} RENAME TO ${table()}_away`);
    });
    return undefined;
  },
  heal: ({ topology }, containers) =>
    inLedger(topology, containers, async (sql) => {
      await sql.unsafe(`ALTER TABLE IF EXISTS ${table()}_away RENAME TO ${table()}`);
    }),
};

export const poison: Fault = {
  what: `lets the database refuse one order in ${poisonedOneIn}, whenever it is tried`,
  inject: async ({ topology }, targets) => {
    await inLedger(topology, targets, async (sql) => {
      await sql.unsafe(`CREATE OR REPLACE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF ('x' || right(NEW.order_id, 4))::bit(16)::int % ${poisonedOneIn} = 0 THEN
          RAISE EXCEPTION 'this order is poisoned';
        END IF; RETURN NEW; END $$`);
      await sql.unsafe(`CREATE TRIGGER poisoned BEFORE INSERT ON ${table()}
        FOR EACH ROW EXECUTE FUNCTION poisoned()`);
    });
    return undefined;
  },
  heal: ({ topology }, containers) =>
    inLedger(topology, containers, async (sql) => {
      await sql.unsafe("DROP FUNCTION IF EXISTS poisoned CASCADE");
    }),
};

/** A commit that is on disk and waits for a replica is neither answered nor undone when the server dies. */
export const commitKill: Fault = {
  what: "kills the database with -9 in the middle of commits: written, and not answered",
  inject: async ({ topology }, targets, { stop }) => {
    let caught = 0;
    await inLedger(topology, targets, async () => {
      await asSuperuser(topology, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
      await asSuperuser(topology, "SELECT pg_reload_conf()");
      await comesTrue(async () => {
        caught = Number(await asSuperuser(topology, inCommit));
        return caught > 0 || stop?.aborted === true;
      }, commitLimitMs);
    });
    await each(targets, (one) => topology.kill(one));
    return `${caught} transactions were in their commit`;
  },
  heal: async (system, containers) => {
    await startAgain(system, containers);
    await inLedger(system.topology, await system.again(containers), async () => {
      await asSuperuser(system.topology, "ALTER SYSTEM RESET synchronous_standby_names");
      await asSuperuser(system.topology, "SELECT pg_reload_conf()");
    });
  },
};

function table(): string {
  if (effectTable === undefined) throw new UserError("The effect lies in no table of the ledger's.");
  return effectTable;
}

/** From inside the container: where the topology is secured, a superuser is let in from nowhere else. */
export async function asSuperuser(topology: Topology, statement: string): Promise<string> {
  const { POSTGRES_USER, POSTGRES_DB } = (await topology.config()).services.postgres.environment;
  const [server] = await topology.containers("postgres");
  if (!server) throw new UserError("There is no ledger.");
  return topology.exec(server, ["psql", "-At", "-U", POSTGRES_USER, "-d", POSTGRES_DB, "-c", statement]);
}

/** Runs statements in a ledger that runs; one that has just been started is waited for. */
async function inLedger(
  topology: Topology,
  containers: readonly Container[],
  act: (sql: SQL) => Promise<void>,
): Promise<void> {
  const other = containers.find((one) => tierOf(one) !== "ledger");
  if (other && !containers.some((one) => tierOf(one) === "ledger"))
    throw new UserError(`${other.name} is no ledger.`);
  if (!containers.some((one) => tierOf(one) === "ledger" && one.state === "running")) return;
  await using sql = await topology.ledger("owner");
  let failure: unknown;
  const answers = await comesTrue(
    () =>
      sql.unsafe("SELECT 1").then(
        () => true,
        (error) => {
          failure = error;
          return false;
        },
      ),
    answerLimitMs,
  );
  if (!answers) throw new UserError(`the ledger does not answer: ${failure}`);
  await act(sql);
}

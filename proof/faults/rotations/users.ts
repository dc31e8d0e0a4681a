// Users change while orders flow, by the steps of docs/operations.md: a second user that may do the same, each instance
// restarted as that one after the other, the first user taken away. Then back in the same way, under a new password: so at
// the end all is as it was, but for that.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaAdmission } from "../../../infra/secure/access.ts";
import { ledgerRoles } from "../../../infra/secure/names.ts";
import { ledgerUrl, newPassword } from "../../../infra/secure/secrets.ts";
import type { Container } from "../../../infra/topology.ts";
import { UserError } from "../../../kit/user-error.ts";
import { findController, grant, readRights, revoke, setPasswords } from "../../../ops/rights.ts";
import { type System, type Tier, tierOf } from "../../system/system.ts";
import { type Fault, startAgain } from "../fault.ts";
import { asSuperuser } from "../in-ledger.ts";
import { restart } from "../restart.ts";
import { writeSecret } from "./secret-file.ts";

const rightsFile = join(import.meta.dir, "../../../infra/secure/rights.txt");
const tiersOfUsers = ["producer", "consumer"] as const;

export const rotateKafkaUsers: Fault = {
  what: "gives producers and consumers other users of Kafka, and their own with new passwords again (SECURE=1)",
  inject: async (system, targets, options) => {
    const named = tiersOfUsers.filter((tier) => targets.some((one) => tierOf(one) === tier));
    if (named.length === 0)
      throw new UserError("Producers and consumers have users of Kafka that can be changed.");
    for (const tier of named) {
      const instances = only(system, targets, tier);
      const change = (from: string, to: string) =>
        changeKafkaUser(system, { tier, from, to }, () => restart.inject(system, instances, options));
      await change(tier, `${tier}-next`);
      await change(`${tier}-next`, tier);
    }
    return "each user has another password";
  },
  heal: startAgain,
};

async function changeKafkaUser(
  system: System,
  { tier, from, to }: { tier: "producer" | "consumer"; from: string; to: string },
  restartAll: () => Promise<unknown>,
): Promise<void> {
  const rightsAs = (user: string) =>
    readRights(readFileSync(rightsFile, "utf8")).flatMap((right) =>
      right.user === tier ? [{ ...right, user }] : [],
    );
  const password = newPassword();
  const before = await controllerOf(system);
  await setPasswords(before, { [to]: password });
  await grant(before, rightsAs(to));
  writeSecret(`kafka-${tier}`, password);
  writeSecret(`kafka-${tier}-user`, to);
  await restartAll();
  const after = await controllerOf(system);
  await revoke(after, rightsAs(from));
  await setPasswords(after, {}, [from]);
}

export const rotateLedgerUser: Fault = {
  what: "gives consumers another login of the ledger, and their own with a new password again (SECURE=1)",
  inject: async (system, targets, options) => {
    const instances = only(system, targets, "consumer");
    const role = ledgerRoles.runtime;
    const second = `${role}_next`;
    const sql = (statement: string) => asSuperuser(system.topology, statement);
    async function change(login: string, statement: (password: string) => string): Promise<void> {
      const password = newPassword();
      await sql(statement(password));
      // The database gives the role the password that is in this file at each of its starts.
      if (login === role) writeSecret("ledger-runtime", password);
      writeSecret("ledger-runtime-url", ledgerUrl(login, password));
      await restart.inject(system, instances, options);
    }
    await sql(`DROP ROLE IF EXISTS ${second}`);
    await change(second, (password) => `CREATE ROLE ${second} LOGIN PASSWORD '${password}' IN ROLE ${role}`);
    await change(role, (password) => `ALTER ROLE ${role} PASSWORD '${password}'`);
    await sql(`DROP ROLE ${second}`);
    return "the login has another password";
  },
  heal: startAgain,
};

/** The instances of a tier among the targets. @throws UserError where there are none, or none has a user */
function only({ access }: System, targets: Container[], tier: Tier): Container[] {
  if (!access) throw new UserError("Nobody has a user here: SECURE=1.");
  const found = targets.filter((one) => tierOf(one) === tier);
  if (found.length === 0) throw new UserError(`No ${tier} was named.`);
  return found;
}

const controllerOf = ({ ports }: System) =>
  findController({ port: ports.KAFKA_PORT_1 as number, admission: kafkaAdmission("broker") });

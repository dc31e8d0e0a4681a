// How what runs is reached from the host, and as whom: the edge, the brokers, the ledger.
import {
  edgeAccess,
  kafkaAdmission,
  kafkaVariables,
  ledgerOptions,
  ledgerVariables,
} from "./secure/access.ts";
import type { KafkaUser, LedgerRole } from "./secure/names.ts";

/** @param options.ports by the variable that moves each. @param options.config of Compose, resolved */
export function createReach(options: {
  secured: boolean;
  ports: () => Promise<Record<string, number>>;
  config: () => Promise<{ services: { postgres: { environment: Record<string, string> } } }>;
}) {
  const { secured, ports, config } = options;

  async function ledgerOptionsOf(role: LedgerRole) {
    const { POSTGRES_PORT } = await ports();
    if (secured) return ledgerOptions(role, Number(POSTGRES_PORT));
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = (await config()).services.postgres.environment;
    return {
      url: `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@127.0.0.1:${POSTGRES_PORT}/${POSTGRES_DB}`,
    };
  }

  return {
    /** Where orders are sent to, as seen from the host. */
    url: async () => `http${secured ? "s" : ""}://127.0.0.1:${(await ports()).LB_PORT}`,
    /** What a client shows and trusts there; undefined where it is open (SECURE=1). */
    access: () => (secured ? edgeAccess() : undefined),
    /** As whom a proof asks the brokers; undefined where they ask nobody. */
    admission: () => (secured ? kafkaAdmission("prove") : undefined),
    /** The same for Kafka's client, as variables. @param user where it is secured */
    kafkaVariables: (user: KafkaUser = "prove") => (secured ? kafkaVariables(user) : {}),
    /** For `Bun.SQL` on the ledger as seen from the host. @param role where it is secured */
    ledgerOptions: ledgerOptionsOf,
    /** The same as variables of src/config.ts. */
    ledgerVariables: async (role: LedgerRole): Promise<Record<string, string>> => {
      const { url } = await ledgerOptionsOf(role);
      return secured ? ledgerVariables(role, url) : { LEDGER_URL: url };
    },
    /** The ledger as seen from the host, to be closed by whoever asked for it. */
    ledger: async (role: LedgerRole = "prove") => new Bun.SQL({ ...(await ledgerOptionsOf(role)), max: 2 }),
  };
}

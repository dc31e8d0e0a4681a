// Who is who in the secured topology: one name for each file of a secret, and who it is for. infra/secure/compose.yaml
// mounts the files; rights.txt says what each user of Kafka may do, roles.sql what each role of the ledger.
import { join } from "node:path";

/** Where all secrets lie, outside of version control. */
export const secretsFolder = join(import.meta.dir, "..", "secrets");

/** Users of Kafka. `broker` is the brokers themselves, and may do everything. */
export const kafkaUsers = ["broker", "topics", "producer", "consumer", "dead", "prove"] as const;
export type KafkaUser = (typeof kafkaUsers)[number];

/** Roles of the ledger's database: who owns the tables, who records, who only reads. */
export const ledgerRoles = { owner: "coffee", runtime: "coffee_runtime", prove: "coffee_prove" } as const;
export type LedgerRole = keyof typeof ledgerRoles;

/** Principals at the edge with an API key each; for whom each orders is in policy.txt. */
export const keyPrincipals = ["shop", "load-1", "load-2"] as const;
/** One that shows tokens of the issuer (issuer.ts). */
export const tokenPrincipal = "load-3";
export type Principal = (typeof keyPrincipals)[number] | typeof tokenPrincipal;
/** Those that a load orders as, by turns. */
export const loadPrincipals = ["load-1", "load-2", tokenPrincipal] as const;

/** Servers that show a certificate, with the names under which they are asked for. */
export const servers = {
  kafka1: ["kafka1"],
  kafka2: ["kafka2"],
  kafka3: ["kafka3"],
  postgres: ["postgres"],
  edge: ["haproxy"],
} as const;

/** The path of a secret, by its name. */
export const secretPath = (name: string): string => join(secretsFolder, name);

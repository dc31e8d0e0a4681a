// How programs on this machine are let into the secured topology: the CA, an API key for the edge, users of their own for
// Kafka and the ledger. Without SECURE=1 everything is open to this machine, and nothing of this is needed.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { UserError } from "../../kit/user-error.ts";
import { tokenOf } from "./issuer.ts";
import {
  type KafkaUser,
  type LedgerRole,
  ledgerRoles,
  loadPrincipals,
  type Principal,
  secretPath,
  tokenPrincipal,
} from "./names.ts";

/** What a client of the edge shows and trusts. */
export interface EdgeAccess {
  /** Principals, with an API key or a token each. */
  keys: { principal: string; token: string }[];
  caPath: string;
  /** PEM. */
  ca: string;
}

/** @throws UserError where there is none */
function secret(name: string): string {
  const path = secretPath(name);
  if (!existsSync(path)) throw new UserError(`${path} is not there: make up SECURE=1 makes it.`);
  return readFileSync(path, "utf8").trimEnd();
}
const ca = () => secret("ca.crt");

/** Whether the secured topology is meant. @throws UserError where that can't be told */
export function isSecured({ SECURE = "" }: Record<string, string | undefined>): boolean {
  if (!["", "0", "1"].includes(SECURE))
    throw new UserError(`SECURE=${SECURE}: 1 is the secured topology, 0 or nothing the usual one.`);
  return SECURE === "1";
}

/** One for an hour, by the issuer's key as it is now: each order shows it, and none has a signature of its own. */
let issued = { key: "", token: "", untilMs: 0 };
function issuedToken(): string {
  const key = secret("issuer-key");
  if (issued.key !== key || issued.untilMs < Date.now())
    issued = { key, token: tokenOf(key, tokenPrincipal), untilMs: Date.now() + 3_600_000 };
  return issued.token;
}

/** That of a load by default, whose principals may order for any customer. */
export const edgeAccess = (of: readonly Principal[] = loadPrincipals): EdgeAccess => ({
  keys: of.map((principal) => ({
    principal,
    // Read anew each time: it may change while orders are sent (proof/faults/rotations/edge.ts).
    get token() {
      return principal === tokenPrincipal ? issuedToken() : secret(`api-key-${principal}`);
    },
  })),
  caPath: secretPath("ca.crt"),
  ca: ca(),
});

/** Options for `fetch`. */
export const fetchOptions = (access: EdgeAccess | undefined) =>
  access && { headers: { authorization: `Bearer ${access.keys[0]?.token}` }, tls: { ca: access.ca } };

/** Variables of src/config.ts for a user of Kafka. */
export const kafkaVariables = (user: KafkaUser): Record<string, string> => ({
  KAFKA_SECURITY_PROTOCOL: "sasl_ssl",
  KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
  KAFKA_SASL_USERNAME: user,
  KAFKA_SASL_PASSWORD_FILE: secretPath(`kafka-${user}`),
  KAFKA_SSL_CA_LOCATION: secretPath("ca.crt"),
});

/** For Kafka's own protocol (ops/protocol.ts). */
export const kafkaAdmission = (user: KafkaUser) => ({
  ca: ca(),
  username: user,
  password: secret(`kafka-${user}`),
});

/** Options for `Bun.SQL`. */
export const ledgerOptions = (role: LedgerRole, port: number) => ({
  url: `postgres://${ledgerRoles[role]}:${secret(`ledger-${role}`)}@127.0.0.1:${port}/coffee?sslmode=verify-full`,
  tls: { ca: ca() },
});

/** Variables of src/config.ts for such a URL. It lies in a file beside the other secrets: an environment others may see. */
export function ledgerVariables(role: LedgerRole, url: string): Record<string, string> {
  const path = secretPath(`ledger-${role}-here-url`);
  writeFileSync(path, url);
  return { LEDGER_URL_FILE: path, NODE_EXTRA_CA_CERTS: secretPath("ca.crt") };
}

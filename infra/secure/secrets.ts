// Every secret of the secured topology, made once by `bun run secrets` and by `make up SECURE=1`: random passwords and API
// keys, what is derived from them, and the certificates. What is there stays, so a secret is changed by removing its file.
// The folder is its owner's alone (0700); the files in it are readable, since containers read them under users of their own,
// through mounts of single files that do not pass the folder.
//
//   bun infra/secure/secrets.ts

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownCommandLine } from "../../kit/arguments.ts";
import { endInWords } from "../../kit/child.ts";
import { ensureCertificates } from "./authority.ts";
import { newIssuerKey, publicOf } from "./issuer.ts";
import { kafkaUsers, keyPrincipals, ledgerRoles, secretsFolder } from "./names.ts";

/** Makes what is missing. @returns whether something is new, which servers only read when they start @throws UserError */
export async function ensureSecrets(folder = secretsFolder): Promise<boolean> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const renewed = await ensureCertificates(folder);
  const changed = derive(folder);
  for (const file of readdirSync(folder)) chmodSync(join(folder, file), 0o644);
  return renewed || changed;
}

/** What is random, and what follows from it. @returns whether any of the latter is new */
function derive(folder: string): boolean {
  let changed = false;
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    if (existsSync(path) && readFileSync(path, "utf8") === text) return;
    writeFileSync(path, text);
    changed = true;
  };
  const secret = (name: string, make = newPassword): string => {
    const path = join(folder, name);
    if (!existsSync(path)) writeFileSync(path, make());
    return readFileSync(path, "utf8").trimEnd();
  };

  for (const user of kafkaUsers) secret(`kafka-${user}`);
  // By which name they go in: proof/faults/rotations/users.ts changes it for a while.
  for (const tier of ["producer", "consumer"]) write(`kafka-${tier}-user`, tier);
  const broker = secret("kafka-broker");
  const zookeeper = secret("zookeeper-broker");
  const quorum = secret("zookeeper-quorum");
  const digest = "org.apache.zookeeper.server.auth.DigestLoginModule required";
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required";
  write(
    "zookeeper.jaas",
    `Server { ${digest} user_broker="${zookeeper}"; };
QuorumServer { ${digest} user_quorum="${quorum}"; };
QuorumLearner { ${digest} username="quorum" password="${quorum}"; };
`,
  );
  write(
    "broker.jaas",
    `KafkaServer { ${scram} username="broker" password="${broker}"; };
Client { ${digest} username="broker" password="${zookeeper}"; };
`,
  );
  write("broker.scram", `SCRAM-SHA-512=password=${broker}\n`);

  secret("ledger-superuser");
  for (const [name, role] of Object.entries(ledgerRoles)) {
    const password = secret(`ledger-${name}`);
    write(`ledger-${name}-url`, ledgerUrl(role, password));
  }

  write("api-keys", keyPrincipals.map((name) => apiKeyLine(secret(`api-key-${name}`), name)).join(""));
  const checking = publicOf(secret("issuer-key", newIssuerKey));
  for (const file of ["issuer.pem", "issuer-next.pem"]) write(file, checking);

  const own = (file: string) => readFileSync(join(import.meta.dir, file), "utf8");
  // Of two lines with one name Kafka and ZooKeeper take the last.
  for (const file of ["server.properties", "zookeeper.properties"])
    write(file, own(`../kafka/${file}`) + own(file));
  return changed;
}

/** 192 random bits. */
export const newPassword = (): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");

/** What the balancer has of an API key. */
export const apiKeyLine = (key: string, principal: string): string =>
  `${new Bun.CryptoHasher("sha256").update(key).digest("hex")} ${principal}\n`;

/** The ledger's URL as containers have it. */
export const ledgerUrl = (role: string, password: string): string =>
  `postgres://${role}:${password}@postgres:5432/coffee?sslmode=verify-full`;

if (import.meta.main) {
  const usage = `bun run secrets     makes the secured topology's certificates and passwords, where they are missing or near their end
Exit code: 0 all are there; 1 why not; 2 the command was not understood.`;
  ownCommandLine(usage, {}, () => undefined);
  try {
    const isNew = await ensureSecrets();
    console.error(`${secretsFolder}: ${isNew ? "made" : "all is there, and lasts"}.`);
  } catch (error) {
    endInWords(error);
  }
}

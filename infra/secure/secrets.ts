// Every secret of the secured topology, made once by `bun run secrets` and by `make up SECURE=1`: random passwords and API
// keys, what is derived from them, and the certificates. What is there stays, so a secret is changed by removing its file.
// The folder is its owner's alone (0700); the files in it are readable, since containers read them under users of their own,
// through mounts of single files that do not pass the folder.
//
//   bun infra/secure/secrets.ts
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../kit/user-error.ts";
import { ensureCertificates } from "./authority.ts";
import { kafkaUsers, ledgerRoles, principals, secretPath, secretsFolder } from "./names.ts";

const random = () => Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");

/** Makes what is missing. @returns whether certificates were made anew, which servers only read when they start */
export async function ensureSecrets(): Promise<boolean> {
  mkdirSync(secretsFolder, { recursive: true, mode: 0o700 });
  chmodSync(secretsFolder, 0o700);
  const renewed = await ensureCertificates();
  await derive();
  for (const file of readdirSync(secretsFolder)) chmodSync(join(secretsFolder, file), 0o644);
  return renewed;
}

/** A random text, the same at each call. */
async function secret(name: string): Promise<string> {
  const file = Bun.file(secretPath(name));
  if (!(await file.exists())) await Bun.write(file, random());
  return file.text();
}

async function derive(): Promise<void> {
  const write = (name: string, text: string) => Bun.write(secretPath(name), text);
  const passwords = Object.fromEntries(
    await Promise.all(kafkaUsers.map(async (user) => [user, await secret(`kafka-${user}`)] as const)),
  );
  const digest = "org.apache.zookeeper.server.auth.DigestLoginModule required";
  const [zookeeper, quorum] = await Promise.all([secret("zookeeper-broker"), secret("zookeeper-quorum")]);
  await write(
    "zookeeper.jaas",
    `Server { ${digest} user_broker="${zookeeper}"; };
QuorumServer { ${digest} user_quorum="${quorum}"; };
QuorumLearner { ${digest} username="quorum" password="${quorum}"; };
`,
  );
  await write(
    "broker.jaas",
    `KafkaServer { org.apache.kafka.common.security.scram.ScramLoginModule required username="broker" password="${passwords.broker}"; };
Client { ${digest} username="broker" password="${zookeeper}"; };
`,
  );
  await write("broker.scram", `SCRAM-SHA-512=password=${passwords.broker}\n`);
  for (const [name, role] of Object.entries(ledgerRoles)) {
    const password = await secret(`ledger-${name}`);
    await write(
      `ledger-${name}-url`,
      `postgres://${role}:${password}@postgres:5432/coffee?sslmode=verify-full`,
    );
  }
  await secret("ledger-superuser");
  const lines = await Promise.all(
    principals.map(async (name) => {
      const key = await secret(`api-key-${name}`);
      return `${new Bun.CryptoHasher("sha256").update(key).digest("hex")} ${name}\n`;
    }),
  );
  await write("api-keys", lines.join(""));
  const own = (file: string) => Bun.file(join(import.meta.dir, file)).text();
  // Of two lines with one name Kafka and ZooKeeper take the last.
  for (const file of ["server.properties", "zookeeper.properties"])
    await write(file, (await own(`../kafka/${file}`)) + (await own(file)));
}

if (import.meta.main) {
  try {
    const renewed = await ensureSecrets();
    console.error(`${secretsFolder}: ${renewed ? "the certificates are new" : "all is there"}.`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

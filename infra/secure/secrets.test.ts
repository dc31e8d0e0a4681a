// What the secured topology rests on: each secret is there, random, and its owner's alone; certificates are renewed in time,
// and another CA's are left to whom they are of.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import { publicOf } from "./issuer.ts";
import { kafkaUsers, keyPrincipals, ledgerRoles, servers } from "./names.ts";
import { ensureSecrets } from "./secrets.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-secrets-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (file: string) => readFileSync(join(folder, file), "utf8");
const all = () => Object.fromEntries(readdirSync(folder).map((file) => [file, read(file)]));
const certificate = (file: string) => new X509Certificate(read(file));
const daysLeft = (file: string) => (Date.parse(certificate(file).validTo) - Date.now()) / 86_400_000;
/** A CA's certificate in the place of the one that is there. */
const put = (subject: string, days: number) =>
  must(
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days ${days} -subj /CN=${subject} -keyout /dev/null -out ca.crt`.split(
      " ",
    ),
    { limitMs: 60_000, cwd: folder },
  );

test("all are made at once, each another one, and stay", async () => {
  expect(await ensureSecrets(folder)).toBe(true);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const random = [
    ...kafkaUsers.map((user) => `kafka-${user}`),
    ...Object.keys(ledgerRoles).map((role) => `ledger-${role}`),
    ...keyPrincipals.map((name) => `api-key-${name}`),
    ...["zookeeper-broker", "zookeeper-quorum", "ledger-superuser"],
  ].map(read);
  for (const text of random) expect(text).toMatch(/^[\w-]{32}$/);
  expect(new Set(random).size).toBe(random.length);
  expect(read("broker.jaas")).toContain(`"${read("kafka-broker")}"`);
  expect(read("ledger-runtime-url")).toContain(`coffee_runtime:${read("ledger-runtime")}@`);
  expect(read("api-keys").split("\n")).toHaveLength(keyPrincipals.length + 1);
  for (const file of ["issuer.pem", "issuer-next.pem"]) expect(read(file)).toBe(publicOf(read("issuer-key")));
  const before = all();
  expect(await ensureSecrets(folder)).toBe(false);
  expect(all()).toEqual(before);
});

test("certificates are for a week, of one CA whose key is gone, for each server's names, and renewed in their last two days", async () => {
  await ensureSecrets(folder);
  const ca = certificate("ca.crt");
  for (const [name, [host]] of Object.entries(servers)) {
    const file = `${name}.pem`;
    expect(daysLeft(file)).toBeCloseTo(7, 1);
    expect(certificate(file).verify(ca.publicKey)).toBe(true);
    for (const known of [host, "localhost"]) expect(certificate(file).checkHost(known)).toBe(known);
    expect(certificate(file).checkIP("127.0.0.1")).toBe("127.0.0.1");
  }
  expect(certificate("edge-next.pem").verify(ca.publicKey)).toBe(true);
  expect(certificate("edge-next.pem").fingerprint).not.toBe(certificate("edge.pem").fingerprint);
  expect(Object.values(all()).filter((text) => text.includes("PRIVATE KEY"))).toHaveLength(
    // The edge's second one, and the issuer's.
    Object.keys(servers).length + 2,
  );
  await put("coffee-orders-development-ca", 1);
  const passwords = read("kafka-producer");
  expect(await ensureSecrets(folder)).toBe(true);
  expect(daysLeft("ca.crt")).toBeCloseTo(7, 1);
  expect(read("kafka-producer")).toBe(passwords);
});

test("another CA's certificates are told to be near their end, and left as they are", async () => {
  await ensureSecrets(folder);
  await put("another", 30);
  rmSync(join(folder, "edge-next.pem"));
  expect(await ensureSecrets(folder)).toBe(false);
  await put("another", 1);
  const before = all();
  await expect(ensureSecrets(folder)).rejects.toThrow(/^ca\.crt in .*: missing, or over within two days/);
  await expect(ensureSecrets(folder)).rejects.toBeInstanceOf(UserError);
  expect(all()).toEqual(before);
});

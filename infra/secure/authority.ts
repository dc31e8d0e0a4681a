// The development CA: certificates of a week for every server of the secured topology, made anew while they have two days
// left. Its key signs them and is thrown away, so that nobody can have another one signed. Where ca.crt is of another CA, its
// certificates are only looked at.
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { capture, must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import { secretPath, secretsFolder, servers } from "./names.ts";

const lifetimeDays = 7;
const renewS = 2 * 86_400;
const callLimitMs = 30_000;
const subject = "CN=Coffee Orders development CA";
const names = Object.entries(servers);
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const until = ["-days", String(lifetimeDays)];

const openssl = (...words: string[]) => must(["openssl", ...words], { limitMs: callLimitMs });

/** Makes what is missing or near its end. @returns whether it did @throws UserError where another CA's are over */
export async function ensureCertificates(): Promise<boolean> {
  const files = [...names.map(([name]) => `${name}.pem`), "ca.crt"];
  const lasting = await Promise.all(files.map(lasts));
  if (lasting.every(Boolean)) return false;
  if (!(await isOurs()))
    throw new UserError(
      `${files.filter((_, n) => !lasting[n]).join(", ")} in ${secretsFolder}: missing, or over in two days. ca.crt is not of the development CA, so renew them yourself.`,
    );
  await makeAll();
  return true;
}

async function lasts(file: string): Promise<boolean> {
  const argv = ["openssl", "x509", "-noout", "-checkend", String(renewS), "-in", secretPath(file)];
  return (await capture(argv, { limitMs: callLimitMs })).code === 0;
}

/** Also where there is none yet. */
async function isOurs(): Promise<boolean> {
  if (!(await Bun.file(secretPath("ca.crt")).exists())) return true;
  return (
    await openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", secretPath("ca.crt"))
  ).endsWith(subject);
}

/** Beside the old ones first: a failure on the way leaves those. */
async function makeAll(): Promise<void> {
  const folder = mkdtempSync(join(secretsFolder, "new-"));
  const at = (name: string) => join(folder, name);
  try {
    await openssl(
      ...[
        "req",
        "-x509",
        ...newKey,
        ...until,
        "-subj",
        `/${subject}`,
        "-keyout",
        at("ca.key"),
        "-out",
        at("ca.crt"),
      ],
      ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    );
    for (const [name, hosts] of names) {
      const alternatives = [...hosts, "localhost"].map((host) => `DNS:${host}`).join();
      await Bun.write(
        at("extensions"),
        `subjectAltName=${alternatives},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n`,
      );
      await openssl("req", ...newKey, "-subj", `/CN=${name}`, "-keyout", at("key"), "-out", at("request"));
      await openssl(
        ...[
          "x509",
          "-req",
          "-in",
          at("request"),
          "-CA",
          at("ca.crt"),
          "-CAkey",
          at("ca.key"),
          "-CAcreateserial",
        ],
        ...["-extfile", at("extensions"), ...until, "-out", at("certificate")],
      );
      const [certificate, key] = await Promise.all(
        ["certificate", "key"].map((file) => Bun.file(at(file)).text()),
      );
      await Bun.write(at(`${name}.pem`), `${certificate}${key}`);
    }
    for (const file of ["ca.crt", ...names.map(([name]) => `${name}.pem`)])
      renameSync(at(file), secretPath(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

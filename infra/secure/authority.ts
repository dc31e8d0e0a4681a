// The development CA: certificates of a week for every server of the secured topology, made anew while they have two days
// left. Its key signs them and is thrown away, so that nobody can have another one signed. Where ca.crt is of another CA, its
// certificates are only looked at.
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capture, must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import { servers } from "./names.ts";

const lifetimeDays = 7;
const renewS = 2 * 86_400;
const callLimitMs = 30_000;
const subject = "CN=coffee-orders-development-ca";
const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
/** The edge has a second one, to be given that while orders flow (proof/faults/rotations/edge.ts). */
const spare = "edge-next";
const names = [...Object.entries(servers), [spare, servers.edge] as const];

const openssl = (cwd: string, words: string) =>
  must(["openssl", ...words.split(" ")], { limitMs: callLimitMs, cwd });

/**
 * Makes what is missing in a folder or near its end.
 * @returns whether it did @throws UserError where another CA's are near theirs
 */
export async function ensureCertificates(folder: string): Promise<boolean> {
  const ours = await isOurs(folder);
  const certified = names.filter(([name]) => ours || name !== spare).map(([name]) => `${name}.pem`);
  const files = ["ca.crt", ...certified];
  const lasting = await Promise.all(files.map((file) => lasts(folder, file)));
  if (lasting.every(Boolean)) return false;
  if (!ours)
    throw new UserError(
      `${files.filter((_, n) => !lasting[n]).join(", ")} in ${folder}: missing, or over within two days. ca.crt is not of the development CA, so renew them yourself.`,
    );
  // Beside the old ones first: a failure on the way leaves those.
  const scratch = mkdtempSync(join(folder, "new-"));
  try {
    await makeAll(scratch);
    for (const file of files) renameSync(join(scratch, file), join(folder, file));
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return true;
}

async function lasts(folder: string, file: string): Promise<boolean> {
  const argv = ["openssl", "x509", "-noout", "-checkend", String(renewS), "-in", join(folder, file)];
  return (await capture(argv, { limitMs: callLimitMs })).code === 0;
}

/** Also where there is none yet. */
async function isOurs(folder: string): Promise<boolean> {
  if (!existsSync(join(folder, "ca.crt"))) return true;
  return (await openssl(folder, "x509 -noout -subject -nameopt RFC2253 -in ca.crt")).endsWith(subject);
}

async function makeAll(folder: string): Promise<void> {
  const days = `-days ${lifetimeDays}`;
  const usage = "-addext keyUsage=critical,keyCertSign,cRLSign";
  await openssl(folder, `req -x509 ${newKey} ${days} ${usage} -subj /${subject} -keyout ca.key -out ca.crt`);
  for (const [name, hosts] of names) {
    const alternatives = [...hosts, "localhost"].map((host) => `DNS:${host}`).join();
    const extensions = `subjectAltName=${alternatives},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n`;
    writeFileSync(join(folder, "extensions"), extensions);
    await openssl(folder, `req ${newKey} -subj /CN=${name} -keyout key -out request`);
    const signing = "-CA ca.crt -CAkey ca.key -CAcreateserial -extfile extensions";
    await openssl(folder, `x509 -req -in request ${signing} ${days} -out certificate`);
    const [certificate, key] = ["certificate", "key"].map((file) => readFileSync(join(folder, file), "utf8"));
    writeFileSync(join(folder, `${name}.pem`), `${certificate}${key}`);
  }
}

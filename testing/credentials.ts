/** Credentials for tests, made anew in a folder: certificates by openssl, tokens and API keys. */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signJwt } from "../kit/jwt.ts";

export const issuer = "https://issuer.example/";
export const audience = "coffee-orders";

/** Tokens of one issuer's key. */
export function newIssuer(kind: "rsa" | "ec" = "rsa") {
  const { publicKey, privateKey } =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2_048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed = (claims: object, header?: object) => signJwt(privateKey, claims, header);
  return {
    pem: publicKey.export({ type: "spki", format: "pem" }) as string,
    signed,
    /** A token that is taken, unless its claims are changed; undefined takes one out. */
    token: (sub: string, changes: object = {}, header: object = {}) =>
      signed({ iss: issuer, aud: audience, exp: nowS() + 3_600, sub, ...changes }, header),
  };
}

export const nowS = (): number => Math.floor(Date.now() / 1_000);
export const base64url = (text: string): string => Buffer.from(text).toString("base64url");

/** An API key and its line in the file. */
export function newApiKey(principal: string) {
  const key = randomBytes(24).toString("base64url");
  return { key, line: `${createHash("sha256").update(key).digest("hex")} ${principal}\n` };
}

/** A folder for files of credentials, which goes with its scope. */
export function newCredentials() {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-credentials-"));
  const at = (name: string) => join(folder, name);
  const openssl = (...words: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words], { stderr: "pipe" });
    if (exitCode !== 0) throw new Error(`openssl ${words[0]}: ${stderr}`);
  };
  return {
    /** Writes a file. @returns its path */
    write(name: string, text: string): string {
      writeFileSync(at(name), text);
      return at(name);
    },
    /** A CA, and certificates that it signs: each a PEM file of certificate and key. */
    newCa(name: string) {
      const [ca, caKey] = [at(`${name}.crt`), at(`${name}.key`)];
      const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
      openssl("req", "-x509", ...newKey, "-days", "1", "-subj", `/CN=${name}`, "-keyout", caKey, "-out", ca);
      return {
        path: ca,
        pem: readFileSync(ca, "utf8"),
        certificate(cn: string, { days = 1, names = "DNS:localhost,IP:127.0.0.1" } = {}) {
          const [crt, key, csr] = ["crt", "key", "csr"].map((end) =>
            at(`${name}-${encodeURIComponent(cn)}.${end}`),
          ) as [string, string, string];
          openssl("req", ...newKey, "-subj", `/CN=${cn}`, "-keyout", key, "-out", csr);
          const extensions = at("names.cnf");
          writeFileSync(extensions, `subjectAltName=${names}\n`);
          const signing = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-extfile", extensions];
          openssl("x509", "-req", "-in", csr, ...signing, "-days", String(days), "-out", crt);
          const [cert, keyPem] = [readFileSync(crt, "utf8"), readFileSync(key, "utf8")];
          const path = at(`${name}-${encodeURIComponent(cn)}.pem`);
          writeFileSync(path, cert + keyPem);
          return { path, cert, key: keyPem, madeMs: Date.now() };
        },
      };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

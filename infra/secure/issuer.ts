// The issuer of the secured topology's tokens: a key of its own, and what that signs. The balancer has its public half.
import {
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

export const issuer = "https://issuer.coffee-orders.example/";
export const audience = "coffee-orders";
/** Longer than a load lasts: k6 is told its tokens once. */
const lifetimeS = 86_400;

/** A key for ES256, PEM (PKCS #8). */
export function newIssuerKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

/** What checks its tokens, PEM (SPKI). */
export const publicOf = (key: string): string =>
  createPublicKey(key).export({ type: "spki", format: "pem" }) as string;

/** A token of the issuer's for that principal. */
export const tokenOf = (key: string, principal: string): string =>
  signJwt(createPrivateKey(key), {
    ...{ iss: issuer, aud: audience, sub: principal },
    exp: Math.floor(Date.now() / 1_000) + lifetimeS,
  });

/** RS256 or ES256, by the key (RFC 7515, 7518). */
export function signJwt(key: KeyObject, claims: object, header: object = {}): string {
  const alg = key.asymmetricKeyType === "rsa" ? "RS256" : "ES256";
  const text = [{ alg, typ: "JWT", ...header }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${createSign("sha256").update(text).sign({ key, dsaEncoding: "ieee-p1363" }, "base64url")}`;
}

// JSON Web Tokens, signed (RFC 7515, 7518).
import { createSign, type KeyObject } from "node:crypto";

/** RS256 or ES256, by the key. */
export function signJwt(key: KeyObject, claims: object, header: object = {}): string {
  const alg = key.asymmetricKeyType === "rsa" ? "RS256" : "ES256";
  const text = [{ alg, typ: "JWT", ...header }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${createSign("sha256").update(text).sign({ key, dsaEncoding: "ieee-p1363" }, "base64url")}`;
}

// The issuer of the secured topology's tokens: a key of its own, and what that signs. The balancer has its public half.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { signJwt } from "../../kit/jwt.ts";

const issuer = "https://issuer.coffee-orders.example/";
const audience = "coffee-orders";
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

/**
 * The key by which a client, or the balancer on its behalf, says «this is the same request again»
 * (draft-ietf-httpapi-idempotency-key-header). The draft's form is a quoted string (RFC 8941, section 3.3.3);
 * a bare word is taken too, since most clients and HAProxy's uuid() send that. "k" and k are the same key.
 */
import { OutcomeError } from "../outcomes.ts";

const maxLength = 255;

/**
 * The key in a header's value; a fresh one where there is none.
 * @throws OutcomeError malformed_key
 */
export function idempotencyKey(header: string | null): string {
  if (header === null) return crypto.randomUUID();
  const key = header.startsWith('"') ? unquoted(header) : header;
  if (key === undefined || !/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(key))
    throw new OutcomeError(
      "malformed_key",
      "Idempotency-Key must be visible ASCII, optionally in double quotes",
    );
  if (key.length > maxLength)
    throw new OutcomeError("malformed_key", `Idempotency-Key is longer than ${maxLength} characters`);
  return key;
}

function unquoted(header: string): string | undefined {
  const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/.exec(header);
  return quoted?.[1]?.replace(/\\(["\\])/g, "$1");
}

/**
 * The key by which a client, or the balancer on its behalf, says «this is the same request again»
 * (draft-ietf-httpapi-idempotency-key-header). The draft's form is a quoted string (RFC 8941, section 3.3.3);
 * a bare word is taken too, since most clients and HAProxy's uuid() send that. "k" and k are the same key.
 */
import { OutcomeError } from "../outcomes.ts";

/**
 * Every header that holds a key, and no other: visible ASCII with blanks inside, bare or in quotes; `"` and `\\` are
 * escaped in quotes. Any engine reads it, as it is published.
 */
const unit = '([!#-\\[\\]-~]|\\\\["\\\\])';
export const idempotencyKeyHeader = {
  type: "string",
  minLength: 1,
  maxLength: 255,
  pattern: `^([!#-~]([ -~]*[!-~])?|"${unit}(( |${unit})*${unit})?")$`,
} as const;
const form = new RegExp(idempotencyKeyHeader.pattern);

/**
 * The key in a header's value; a fresh one where there is none.
 * @throws OutcomeError malformed_key
 */
export function idempotencyKey(header: string | null): string {
  if (header === null) return crypto.randomUUID();
  const { maxLength } = idempotencyKeyHeader;
  if (header.length > maxLength)
    throw new OutcomeError("malformed_key", `Idempotency-Key is longer than ${maxLength} characters`);
  if (!form.test(header))
    throw new OutcomeError(
      "malformed_key",
      "Idempotency-Key must be visible ASCII, optionally in double quotes",
    );
  return header.startsWith('"') ? header.slice(1, -1).replace(/\\(["\\])/g, "$1") : header;
}

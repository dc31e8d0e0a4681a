/**
 * The key by which a client, or the balancer for it, says «this is the same request again»: a quoted string, an item of RFC 9651
 * whose parameters are ignored (draft-ietf-httpapi-idempotency-key-header), or a bare word, as most send; "k" and k are the same.
 */
import { OutcomeError } from "../outcomes.ts";

/** Visible ASCII with blanks inside; `"` and `\\` are escaped. */
const unit = '([!#-\\[\\]-~]|\\\\["\\\\])';
const quoted = `"${unit}(( |${unit})*${unit})?"`;
/** The bare items of RFC 9651, section 3.3: number, string, token, bytes, boolean, date, display string. */
const parameterValue = [
  "-?[0-9]{1,15}",
  "-?[0-9]{1,12}\\.[0-9]{1,3}",
  '"([ !#-\\[\\]-~]|\\\\["\\\\])*"',
  "[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*",
  ":[A-Za-z0-9+/=]*:",
  "\\?[01]",
  "@-?[0-9]{1,15}",
  '%"([ !#$&-~]|%[0-9a-f]{2})*"',
].join("|");
/** RFC 9651, section 3.1.2. */
const parameters = `(; *[a-z*][a-z0-9_.*-]*(=(${parameterValue}))?)*`;
const pattern = `^([!#-~]([ -~]*[!-~])?|${quoted}${parameters})$`;
const form = new RegExp(pattern);
const maxLength = 255;
const rule = `Idempotency-Key must be visible ASCII, at most ${maxLength} characters, optionally in double quotes with the parameters of RFC 9651`;

/** Every header that holds a key, and no other. Any engine reads it, as it is published. */
export const idempotencyKeyHeader = { type: "string", minLength: 1, maxLength, pattern } as const;

/** The key in a header's value; a fresh one where there is none. @throws OutcomeError malformed_key */
export function idempotencyKey(header: string | null): string {
  if (header === null) return crypto.randomUUID();
  if (header.length > maxLength || !form.test(header)) throw new OutcomeError("malformed_key", rule);
  const [, inQuotes] = /^"((?:[^"\\]|\\.)*)"/.exec(header) ?? [];
  return inQuotes === undefined ? header : inQuotes.replace(/\\(["\\])/g, "$1");
}

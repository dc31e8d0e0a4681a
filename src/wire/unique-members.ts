/**
 * What JSON.parse does not look for. No object may have two members of one name (RFC 7493, section 2.3), of which it keeps the
 * last: then the document has fewer members than its text has colons outside of strings (0.1 µs for an order of 70 bytes, `bun
 * bench/unique-members.ts`, two cores, 2026-11-28). And it looks names and short texts up by a hash that anybody can compute, among
 * all that are not collected yet: 20,000 of one place take 2 s. So `parseJson` collects, and an order is remembered as text alone.
 */

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
/** Its last bits are a good factor's: of all odd numbers one in a hundred takes many different texts for the same. */
const randomFactor = ((crypto.getRandomValues(new Uint32Array(1))[0] as number) & ~0xfff) | 0x7b5;

/** Whether a name occurs twice in one object, at any depth. @param document what JSON.parse made of these bytes */
export const repeatsMember = (bytes: Uint8Array, document: unknown): boolean =>
  colonsOutsideStrings(bytes) > memberCount(document);

/** Whether there are more different strings than 256, and than one for each 256 bytes that it may have. */
export function hasManyStrings(bytes: Uint8Array, maxBytes: number): boolean {
  const strings = new Set<number>();
  if (bytes.length > 3 * 256) colonsOutsideStrings(bytes, strings);
  return strings.size > Math.max(256, maxBytes / 256);
}

/** By bytes: in UTF-8 none of a longer character is one of these three. @param strings where each is noted, as a number */
function colonsOutsideStrings(json: Uint8Array, strings?: Set<number>): number {
  let [count, hash, inString] = [0, 0, false];
  for (let n = 0; n < json.length; n += 1) {
    const byte = json[n] as number;
    if (byte === quote) {
      if (inString) strings?.add(hash);
      inString = !inString;
    } else if (!inString) count += byte === colon ? 1 : 0;
    // Whatever is escaped ends no string.
    else if (byte === backslash) n += 1;
    if (strings) hash = inString ? Math.imul(hash ^ byte, randomFactor) + (json[n] as number) : 0;
  }
  return count;
}

/** Without recursion: a document may be as deep as it is long. */
function memberCount(document: unknown): number {
  let count = 0;
  const open = [document];
  while (open.length > 0) {
    const value = open.pop();
    if (Array.isArray(value)) for (const item of value) open.push(item);
    else if (typeof value === "object")
      for (const name in value) {
        count += 1;
        open.push((value as Record<string, unknown>)[name]);
      }
  }
  return count;
}

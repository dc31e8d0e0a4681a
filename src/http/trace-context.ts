/** The caller's place in a trace (W3C Trace Context, section 3), in each of its orders' records: valid and short, or not at all. */

export type TraceContext = { traceparent: string; tracestate?: string };

/** As much as is to be propagated at least (3.3.1.5), and here at most: a batch carries it a thousand times. */
const maxStateChars = 512;
/** Longer members go first where they are too many characters in all (3.3.1.5). */
const [longMemberChars, maxMembers] = [128, 32];
/** Version, ids and flags, and what a version above 00 may add after a dash; a comma would be a second line (3.2). */
const parentForm =
  /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-[!-+\--~]*)?$/;
const member = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/** undefined without a valid traceparent (3.2.2). Of a version above 00 the parts are carried that 00 knows (3.2.4). */
export function traceContext(headers: Headers): TraceContext | undefined {
  const parts = parentForm.exec(headers.get("traceparent") ?? "");
  if (!parts) return undefined;
  const [header, version, ids, flags = "", more] = parts;
  if (version === "00" && more !== undefined) return undefined;
  // Sampled and random, which version 00 knows (3.2.2.5).
  const known = Number.parseInt(flags, 16) & 0b11;
  const traceparent = version === "00" ? header : `00-${ids}-0${known}`;
  const tracestate = stateOf(headers.get("tracestate") ?? "");
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** The list without blanks and empty members; "" where it is malformed, which leaves the traceparent as it is (3.3). */
function stateOf(header: string): string {
  const members = header.match(/[^\s,]([^,]*[^\s,])?/g) ?? [];
  if (members.length > maxMembers || !members.every((text) => member.test(text))) return "";
  while (members.join(",").length > maxStateChars) {
    // Whole members only: the last of the long ones, and where there is none, at -1, the last of all.
    const last = members.findLastIndex((text) => text.length > longMemberChars);
    members.splice(last, 1);
  }
  return members.join(",");
}

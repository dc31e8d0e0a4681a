/** The difference of two states as a merge patch (RFC 7396), which page/patch.ts applies. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The merge patch that makes `after` of `before`; undefined: they are alike. Source: RFC 7396. */
export function patchOf(before: unknown, after: unknown): Json | undefined {
  if (!isObject(before) || !isObject(after))
    return Bun.deepEquals(before, after) ? undefined : (after as Json);
  const patch: Record<string, Json> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const change = patchOf(before[name], after[name]);
    if (after[name] === undefined && before[name] !== undefined) patch[name] = null;
    else if (change !== undefined) patch[name] = change;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

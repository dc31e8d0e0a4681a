/** One text for one meaning: JSON with its members sorted, so that equal documents are equal texts. */

/** Canonical JSON of a value that came from JSON. Members in `omit` are left out at the top. */
export function canonicalJson(value: object, omit: readonly string[] = []): string {
  return JSON.stringify(sorted(value, omit));
}

function sorted(value: unknown, omit: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((item) => sorted(item));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !omit.includes(name));
  return Object.fromEntries(
    members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, sorted(item)]),
  );
}

/** One text for one meaning: JSON with its members sorted, so that equal documents are equal texts. */

/** Canonical JSON of a value that came from JSON. Members in `omit` are left out at the top. */
export const canonicalJson = (value: object, omit: readonly string[] = []): string =>
  JSON.stringify(sorted(value, omit));

/** What the client sent, without what the producer added: equal orders have equal texts. */
export const contentOf = (order: object): string => canonicalJson(order, ["id", "placedAt"]);

function sorted(value: unknown, omit: readonly string[] = []): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => sorted(item));
  // Without a prototype, so that a member named __proto__ is one like any other.
  const members: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(value).sort())
    if (!omit.includes(name)) members[name] = sorted((value as Record<string, unknown>)[name]);
  return members;
}

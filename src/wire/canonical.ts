/** One text for one meaning: JSON with its members sorted, so that equal documents are equal texts. */

/** Canonical JSON of a value that came from JSON. */
export const canonicalJson = (value: object): string => JSON.stringify(sorted(value));

/** What the client sent, without what the producer added: equal orders have equal texts. */
export const contentOf = ({ id, placedAt, ...sent }: Record<string, unknown>): string => canonicalJson(sent);

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  // Without a prototype, so that a member named __proto__ is one like any other.
  const members: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(value).sort())
    members[name] = sorted((value as Record<string, unknown>)[name]);
  return members;
}

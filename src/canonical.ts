/** One text for one meaning: JSON with its members sorted, so that equal documents are equal texts. */

/** Canonical JSON of a value that came from JSON. Members in `omit` are left out at the top. */
export function canonicalJson(value: object, omit: readonly string[] = []): string {
  return textOf(value, omit);
}

function textOf(value: unknown, omit: readonly string[] = []): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item)).join(",")}]`;
  let members = "";
  for (const name of Object.keys(value).sort()) {
    if (omit.includes(name)) continue;
    const item = textOf((value as Record<string, unknown>)[name]);
    members += `${members && ","}${JSON.stringify(name)}:${item}`;
  }
  return `{${members}}`;
}

/** Types of text that order and settings are made of, and how each is told to a person. */
import { Kind, type SchemaOptions, Type, TypeRegistry } from "@sinclair/typebox";

export function oneOf<const T extends readonly string[]>(words: T, options: SchemaOptions = {}) {
  const literals = words.map((word) => Type.Literal(word));
  return Type.Unsafe<T[number]>(Type.Union(literals, options));
}

const kind = "Line";
const controls = "\\u0000-\\u001F\\u007F-\\u009F";
const control = new RegExp(`[${controls}]`);
const pattern = `^[^${controls}]*$`;

/**
 * 1 to `maxLength` characters: no control characters, of which PostgreSQL refuses NUL, and no half of a surrogate pair, which
 * UTF-8 can't carry: two such customers would be one. Checked here and described by standard words alone: JSON Schema counts
 * characters, TypeBox UTF-16 code units; and no pattern that every engine reads alike finds half a pair.
 */
export const line = (maxLength: number) =>
  Type.Unsafe<string>({ [Kind]: kind, type: "string", minLength: 1, maxLength, pattern });

TypeRegistry.Set<{ maxLength: number }>(kind, ({ maxLength }, text) => {
  if (typeof text !== "string" || text === "" || control.test(text) || !text.isWellFormed()) return false;
  // There are at most as many characters as code units, and at least half as many.
  return text.length <= maxLength || (text.length <= 2 * maxLength && [...text].length <= maxLength);
});

/** What such a type takes, e.g. «one of small, medium, large»; undefined for any other type. */
export function expectedOf(schema: SchemaOptions): string | undefined {
  if (schema.anyOf) return `one of ${schema.anyOf.map((word: { const: string }) => word.const).join(", ")}`;
  return schema[Kind as never] === kind ? `one line of 1 to ${schema.maxLength} characters` : undefined;
}

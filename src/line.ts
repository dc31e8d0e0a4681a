/**
 * One line of text as a type of its own. JSON Schema counts characters, TypeBox UTF-16 code units; and no pattern that
 * every engine reads alike can tell half a surrogate pair from a whole one. So that an interface keeps to the schema
 * that it publishes, a line is checked here and described by standard words alone.
 */
import { Kind, Type, TypeRegistry } from "@sinclair/typebox";

const kind = "Line";

TypeRegistry.Set<{ maxLength: number }>(
  kind,
  ({ maxLength }, value) => typeof value === "string" && isLine(value, maxLength),
);

/**
 * 1 to `maxLength` characters: no control characters, which would be lost on a ticket and which PostgreSQL refuses
 * (NUL), and no half of a surrogate pair, which UTF-8 can't carry: two such customers would be one.
 */
export const line = (maxLength: number) =>
  Type.Unsafe<string>({
    [Kind]: kind,
    type: "string",
    minLength: 1,
    maxLength,
    pattern: "^[^\\u0000-\\u001F\\u007F-\\u009F]*$",
  });

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u001F\u007F-\u009F]/;

function isLine(text: string, maxLength: number): boolean {
  if (text.length === 0 || control.test(text) || !text.isWellFormed()) return false;
  // There are at most as many characters as code units, and at least half as many.
  return text.length <= maxLength || (text.length <= 2 * maxLength && [...text].length <= maxLength);
}

/** What was expected where something else is no line; undefined for any other type. */
export const lineExpected = (schema: { [Kind]: string; maxLength?: number }): string | undefined =>
  schema[Kind] === kind ? `Expected one line of 1 to ${schema.maxLength} characters` : undefined;

import { expect, test } from "bun:test";
import fc from "fast-check";
import { hasManyStrings, repeatsMember } from "./unique-members.ts";

const repeats = (json: string) => repeatsMember(new TextEncoder().encode(json), JSON.parse(json));

test.each([
  "{}",
  "[]",
  "1",
  "null",
  '"a:b"',
  '":"',
  '{"a":1,"b":2}',
  '{"a":":","b":"\\":"}',
  '{"a":"\\\\","b":":"}',
  '{"\\":":1}',
  '[{"a":1},{"a":1}]',
  '{"a":{"a":{"a":1}}}',
  '{"__proto__":1,"constructor":2}',
  '{"__proto__":{"a":1},"a":2}',
  '{"":1," ":2}',
  '{"1":1,"0":2}',
  ' {\n"é☕" : "☕:é" , "b":\t[ { } , [ ] , {"a" :1} ] }',
])("%s names nothing twice", (json) => {
  expect(repeats(json)).toBe(false);
});

test.each([
  '{"a":1,"a":1}',
  '{"a":1,"b":2,"a":3}',
  '{"a":1,"\\u0061":2}',
  '{"a/b":1,"a\\/b":2}',
  '{"\\ud83d\\ude00":1,"😀":2}',
  '{"":1,"":2}',
  '{"1":1,"1":2}',
  '{"__proto__":1,"__proto__":2}',
  '{"a":{"b":1,"b":2}}',
  '{"a":[1,[{"b":1,"b":2}]]}',
  '[{"a":1},{"a":1,"a":2}]',
  '{"a":{"x":1,"y":2},"a":{}}',
  '{"a":{"x":1},"a":{"x":1,"y":2,"z":3}}',
  '{"a":":","a":"\\\\"}',
])("%s names something twice", (json) => {
  expect(repeats(json)).toBe(true);
});

test("a document may be as deep as it is long", () => {
  expect(repeats(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`)).toBe(false);
  expect(repeats(`${"[".repeat(100_000)}{"a":1,"a":2}${"]".repeat(100_000)}`)).toBe(true);
});

const many = (json: string, maxBytes = 8_192) => hasManyStrings(new TextEncoder().encode(json), maxBytes);
const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);
/** Texts that are alike but for which of their letters are escaped. */
const escaped = (count: number) =>
  numbered(count).map((n) =>
    Number(n).toString(2).padStart(13, "0").replaceAll("1", "\\n").replaceAll("0", "n"),
  );

test.each<[string, (count: number) => string]>([
  ["texts", (count) => JSON.stringify(numbered(count))],
  ["names", (count) => JSON.stringify(Object.fromEntries(numbered(count).map((n) => [n, 1])))],
  ["names of an object each", (count) => JSON.stringify(numbered(count).map((n) => ({ [n]: 1 })))],
  ["texts that only escapes tell apart", (count) => `["${escaped(count).join('","')}"]`],
  ["texts that end with a quote", (count) => JSON.stringify(numbered(count).map((n) => `${n}"`))],
])("there may be 256 different %s, or one for each 256 bytes of the most", (_, write) => {
  // A few more, as by chance two may count as one.
  expect([256, 280].map((count) => many(write(count)))).toEqual([false, true]);
  expect([4_096, 4_200].map((count) => many(write(count), 2 ** 20))).toEqual([false, true]);
});

test("the same one counts once", () => {
  expect(many(JSON.stringify(Array.from({ length: 5_000 }, () => ({ size: "small", a: '\\"' }))))).toBe(
    false,
  );
});

/** A document as its text, written here member by member, and whether one of its objects has a name twice. */
type Written = { text: string; repeats: boolean };
const names = fc.constantFrom("a", "b", "c:", 'd"', "e\\", "__proto__", "é");
const name = fc.tuple(names, fc.boolean()).map(([plain, escaped]) => ({
  plain,
  text: escaped
    ? `"${[...plain].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`
    : JSON.stringify(plain),
}));
const { document } = fc.letrec<{ document: Written }>((tie) => ({
  document: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('":"', '"\\\\\\":"', "1", "null", '"☕"').map((text) => ({ text, repeats: false })),
    fc.array(tie("document"), { maxLength: 3 }).map((items) => ({
      text: `[${items.map(({ text }) => text).join(" , ")}]`,
      repeats: items.some((item) => item.repeats),
    })),
    fc.array(fc.tuple(name, tie("document")), { maxLength: 4 }).map((members) => ({
      text: `{${members.map(([{ text }, value]) => `${text} :${value.text}`).join(",")}}`,
      repeats:
        new Set(members.map(([{ plain }]) => plain)).size < members.length ||
        members.some(([, value]) => value.repeats),
    })),
  ),
}));

test("a name that occurs twice is found in any document, and in no other", () => {
  fc.assert(
    fc.property(document, (written) => {
      expect(repeats(written.text)).toBe(written.repeats);
    }),
    { numRuns: 3_000 },
  );
});

test("whatever factor a process draws, different texts count as different", async () => {
  const bytes = new TextEncoder().encode(JSON.stringify(numbered(4_200)));
  for (let n = 0; n < 400; n += 1) {
    const drawn: typeof import("./unique-members.ts") = await import(`./unique-members.ts?${n}`);
    expect(drawn.hasManyStrings(bytes, 2 ** 20)).toBe(true);
  }
});

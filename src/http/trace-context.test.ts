/** The cases of the W3C's own test suite (github.com/w3c/trace-context, test/test.py), and what its grammar says besides. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { traceContext } from "./trace-context.ts";

const traceId = "12345678901234567890123456789012";
const parentId = "1234567890123456";
const valid = `00-${traceId}-${parentId}-01`;

/** What is made of these header lines. */
const carried = (...lines: [name: string, value: string][]) => traceContext(new Headers(lines));
const parent = (value: string) => carried(["traceparent", value])?.traceparent;
const state = (...values: string[]) =>
  carried(["traceparent", valid], ...values.map((value): [string, string] => ["tracestate", value]));

test.each([
  ["version 00", valid],
  ["not sampled", `00-${traceId}-${parentId}-00`],
  ["a random trace id", `00-${traceId}-${parentId}-02`],
  ["every flag set", `00-${traceId}-${parentId}-ff`],
  ["ids of f alone", `00-${"f".repeat(32)}-${"f".repeat(16)}-01`],
  ["ids with zeros at the edge", `00-${"0".repeat(31)}1-1${"0".repeat(15)}-01`],
])("%s is carried as it came", (_, value) => {
  expect(parent(value)).toBe(value);
});

test.each([
  ["nothing more", `cc-${traceId}-${parentId}-01`, "01"],
  ["more after a dash", `cc-${traceId}-${parentId}-01-what-the-future-will-be-like`, "01"],
  ["a dash", `cc-${traceId}-${parentId}-00-`, "00"],
  ["flags of its own", `01-${traceId}-${parentId}-ff`, "03"],
  ["13 KB", `fe-${traceId}-${parentId}-01-${"x".repeat(13_000)}`, "01"],
])("a later version with %s becomes version 00", (_, value, flags) => {
  expect(parent(value)).toBe(`00-${traceId}-${parentId}-${flags}`);
});

test.each([
  ["nothing", ""],
  ["a dot at the end", `${valid}.`],
  ["more, in version 00", `${valid}-what-the-future-will-be-like`],
  ["a dash at the end, in version 00", `${valid}-`],
  ["more without a dash, in a later version", `cc-${traceId}-${parentId}-01.what-the-future-will-be-like`],
  ["version ff", `ff-${traceId}-${parentId}-01`],
  ["a dot in the version", `.0-${traceId}-${parentId}-01`],
  ["a dot after the version's first digit", `0.-${traceId}-${parentId}-01`],
  ["a version of three digits", `000-${traceId}-${parentId}-01`],
  ["a version of four digits", `0000-${traceId}-${parentId}-01`],
  ["a version of one digit", `0-${traceId}-${parentId}-01`],
  ["no trace id", `00-${"0".repeat(32)}-${parentId}-01`],
  ["a dot in the trace id", `00-.2345678901234567890123456789012-${parentId}-01`],
  ["a dot at the trace id's end", `00-1234567890123456789012345678901.-${parentId}-01`],
  ["a trace id of 33 digits", `00-${traceId}3-${parentId}-01`],
  ["a trace id of 31 digits", `00-${traceId.slice(1)}-${parentId}-01`],
  ["an upper-case trace id", `00-${"A".repeat(32)}-${parentId}-01`],
  ["no parent id", `00-${traceId}-${"0".repeat(16)}-01`],
  ["no parent id, in a later version", `cc-${traceId}-${"0".repeat(16)}-01`],
  ["a dot in the parent id", `00-${traceId}-.234567890123456-01`],
  ["a dot at the parent id's end", `00-${traceId}-123456789012345.-01`],
  ["a parent id of 17 digits", `00-${traceId}-${parentId}7-01`],
  ["a parent id of 15 digits", `00-${traceId}-${parentId.slice(1)}-01`],
  ["an upper-case parent id", `00-${traceId}-${"A".repeat(16)}-01`],
  ["a dot in the flags", `00-${traceId}-${parentId}-.0`],
  ["a dot at the flags' end", `00-${traceId}-${parentId}-0.`],
  ["flags of three digits", `00-${traceId}-${parentId}-001`],
  ["flags of four digits", `00-${traceId}-${parentId}-0100`],
  ["flags of one digit", `00-${traceId}-${parentId}-1`],
  ["upper-case flags", `00-${traceId}-${parentId}-0A`],
  ["other separators", `00_${traceId}_${parentId}_01`],
])("%s is no traceparent", (_, value) => {
  expect(parent(value)).toBeUndefined();
});

test("two lines are no traceparent, whatever their version", () => {
  const second: [string, string] = ["traceparent", `00-${traceId.replace("1", "2")}-${parentId}-01`];
  for (const first of [valid, `cc-${traceId}-${parentId}-01`, `cc-${traceId}-${parentId}-01-more`])
    expect(carried(["traceparent", first], second)).toBeUndefined();
});

test.each(["TraceParent", "TrAcEpArEnT", "TRACEPARENT"])("the header's name may be %s", (name) => {
  expect(carried([name, valid], [name.replace(/parent/i, "STATE"), "foo=1"])).toEqual({
    traceparent: valid,
    tracestate: "foo=1",
  });
});

test.each(["trace-parent", "trace.parent"])("%s is another header", (name) => {
  expect(carried([name, valid])).toBeUndefined();
});

test.each(["\t", " ", "\t "])("blanks around a traceparent are not part of it: %j", (blank) => {
  expect(parent(blank + valid)).toBe(valid);
  expect(parent(valid + blank)).toBe(valid);
});

const keyCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";
const valueCharacters = Array.from({ length: 95 }, (_, n) => String.fromCharCode(0x20 + n))
  .filter((character) => !",=".includes(character))
  .join("");
const members = (count: number) => Array.from({ length: count }, (_, n) => `bar${n + 1}=${n + 1}`);

test.each<[what: string, lines: string[], tracestate: string | undefined]>([
  ["one line", ["foo=1,bar=2"], "foo=1,bar=2"],
  ["several lines", ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"],
  ["an empty line", [""], undefined],
  ["an empty line after another", ["foo=1", ""], "foo=1"],
  ["an empty line before another", ["", "foo=1"], "foo=1"],
  ["empty members", ["foo=1,,\t, ,bar=2,"], "foo=1,bar=2"],
  ["the same member twice", ["foo=1,foo=1"], "foo=1,foo=1"],
  ["the same key twice, in two lines", ["foo=1", "foo=2"], "foo=1,foo=2"],
  [
    "every character there may be",
    [`${keyCharacters}=${valueCharacters}`],
    `${keyCharacters}=${valueCharacters}`,
  ],
  ["blanks and tabs between", ["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"],
  ["tabs between", ["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"],
  ["blanks around", ["\t foo=1 \t"], "foo=1"],
  ["blanks in a value, at its start too", ["foo= a b"], "foo= a b"],
  ["a key that starts with a digit", ["1foo@=1,2=2"], "1foo@=1,2=2"],
  ["several @", ["foo@@bar=1,foo@bar@baz=2"], "foo@@bar=1,foo@bar@baz=2"],
  ["32 members", members(32), members(32).join(",")],
  ["a key of 256 characters", ["foo=1", `${"z".repeat(256)}=1`], `foo=1,${"z".repeat(256)}=1`],
  ["a value of 256 characters", [`foo=${"x".repeat(256)}`], `foo=${"x".repeat(256)}`],
  ["a vendor of 15", ["foo=1", `t@${"v".repeat(15)}=1`], `foo=1,t@${"v".repeat(15)}=1`],
  ["a tenant of 242", ["foo=1", `${"t".repeat(242)}@v=1`], `foo=1,${"t".repeat(242)}@v=1`],
])("tracestate of %s is carried", (_, lines, tracestate) => {
  expect(state(...lines)).toEqual({ traceparent: valid, ...(tracestate && { tracestate }) });
});

test.each<[what: string, lines: string[]]>([
  ["a blank in a key", ["foo =1"]],
  ["an upper-case key", ["FOO=1"]],
  ["a dot in a key", ["foo.bar=1"]],
  ["an @ at a key's start", ["@foo=1,bar=2"]],
  ["no key", ["=1"]],
  ["no value", ["foo=,bar=3"]],
  ["no equals sign", ["foo"]],
  ["two equals signs", ["foo=bar=baz"]],
  ["a tab in a value", ["foo=a\tb"]],
  ["a letter beyond ASCII", ["foo=é"]],
  ["33 members", members(33)],
  ["a key of 257 characters", ["foo=1", `${"z".repeat(257)}=1`]],
  ["a value of 257 characters", [`foo=${"x".repeat(257)}`]],
])("tracestate with %s is dropped whole, and the traceparent is not", (_, lines) => {
  expect(state(...lines)).toEqual({ traceparent: valid });
});

test("tracestate without a valid traceparent is dropped", () => {
  expect(carried(["tracestate", "foo=1"])).toBeUndefined();
  expect(carried(["traceparent", `${valid}.`], ["tracestate", "foo=1"])).toBeUndefined();
});

test("512 characters are carried; of more, long members are left out first, then the last ones", () => {
  const short = (name: string) => `${name}=${"v".repeat(100 - name.length - 1)}`;
  const long = (name: string) => `${name}=${"v".repeat(129 - name.length - 1)}`;
  const five = ["a", "b", "c", "d", "e"].map(short);
  // 5 of 100, 4 commas, and "f=" with six more: 512 in all, then one beyond.
  expect(state([...five, "f=12345"].join(","))?.tracestate).toHaveLength(512);
  expect(state([...five, "f=123456"].join(","))?.tracestate).toBe(five.join(","));
  expect(state([long("l"), ...five, "g=1"].join(","))?.tracestate).toBe([...five, "g=1"].join(","));
  expect(state([long("l"), ...five.slice(0, 3), long("m")].join(","))?.tracestate).toBe(
    [long("l"), ...five.slice(0, 3)].join(","),
  );
  expect(state(`${"k".repeat(256)}=${"v".repeat(256)}`)).toEqual({ traceparent: valid });
});

test("whatever comes in, what comes out keeps to the grammar of version 00 and to the bounds", () => {
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(..."0123456789abcdefA"), minLength: length, maxLength: length });
  const traceparents = fc.oneof(
    fc.string({ unit: "grapheme-ascii", maxLength: 80 }),
    fc
      .tuple(
        fc.constantFrom("00", "01", "cc", "ff"),
        hex(32),
        hex(16),
        hex(2),
        fc.constantFrom("", "-x", "."),
      )
      .map(([version, trace, parent, flags, more]) => `${version}-${trace}-${parent}-${flags}${more}`),
    fc.constant(valid),
  );
  const text = (characters: string, maxLength: number) =>
    fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength });
  const listed = fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .tuple(text(keyCharacters, 300), text(valueCharacters, 300))
          .map((pair) => pair.join("=")),
      },
      { weight: 1, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 300 }) },
      { weight: 1, arbitrary: fc.constantFrom("", " ", "\t") },
    ),
    { maxLength: 40 },
  );
  // As a server has joined a header's lines, printable as a server lets them pass.
  fc.assert(
    fc.property(traceparents, fc.option(listed, { nil: [] }), (traceparent, list) => {
      const headers = new Headers({ traceparent, tracestate: list.join(",") });
      const out = traceContext(headers);
      if (!out) return;
      expect(out.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/);
      expect(out.traceparent.length).toBe(55);
      if (out.tracestate === undefined) return;
      expect(out.tracestate.length).toBeWithin(1, 513);
      const kept = out.tracestate.split(",");
      expect(kept.length).toBeLessThanOrEqual(32);
      for (const one of kept)
        expect(one).toMatch(
          /^[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/,
        );
    }),
    { numRuns: 1_000 },
  );
});

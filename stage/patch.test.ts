// What a page makes of the patches is what the stage has; and what a patch does not touch stays the same object.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { patched } from "../page/app/patch.ts";
import { patchOf } from "./patch.ts";

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.integer()));
const { tree } = fc.letrec((tie) => ({
  tree: fc.dictionary(
    fc.constantFrom("a", "b", "c", "d"),
    fc.oneof({ depthSize: "small" }, leaf, tie("tree")),
    {
      noNullPrototype: true,
    },
  ),
}));

test("a patch makes the later state of the earlier one", () => {
  fc.assert(
    fc.property(tree, tree, (before, after) => {
      const patch = patchOf(before, after);
      expect(patch === undefined ? before : patched(before, JSON.parse(JSON.stringify(patch)))).toEqual(
        after,
      );
    }),
  );
});

test("alike states have no patch; what is no longer known is removed", () => {
  expect(patchOf({ a: [1], b: { c: 1 } }, { a: [1], b: { c: 1 } })).toBeUndefined();
  expect(patchOf({ a: 1, b: 2 }, { a: undefined, b: 2 })).toEqual({ a: null });
});

test("what a patch does not touch stays the very same", () => {
  const before = { one: { n: 1 }, other: { n: 2 } };
  const after = patched(before, { one: { n: 3 } });
  expect(after).toEqual({ one: { n: 3 }, other: { n: 2 } });
  expect(after.other).toBe(before.other);
});

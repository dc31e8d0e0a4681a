import { expect, test } from "bun:test";
import { ignoredVariables, withoutK6 } from "./environment.ts";

test("nothing that k6 would take for its own gets through, and what doesn't is named", () => {
  const env = { PATH: "/bin", K6_VUS: "2", K6_ITERATIONS: "2", MY_K6_: "kept" };
  expect(withoutK6(env)).toEqual({ PATH: "/bin", MY_K6_: "kept" });
  expect(ignoredVariables(env)).toBe("ignored, as they would change what is measured: K6_ITERATIONS, K6_VUS");
  expect(ignoredVariables({ PATH: "/bin" })).toBeUndefined();
});

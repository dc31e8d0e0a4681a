import { expect, test } from "bun:test";
import { lastLine, readReport } from "./report.ts";

const more = Array.from({ length: 20 }, (_, n) => `line ${n}&#10;&#10;`).join("");
const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" assertions="2" failures="2" skipped="1" time="0.04">
  <testsuite name="a &quot;b&quot;.test.ts" file="a &quot;b&quot;.test.ts" tests="4" failures="1" skipped="1" time="0.005">
    <testcase name="ok" classname="" time="0.000031" file="a &quot;b&quot;.test.ts" line="2" assertions="1" />
    <testsuite name="d" file="a &quot;b&quot;.test.ts" line="3" tests="3" failures="1" skipped="1" time="0">
      <testcase name="1 &lt; 0" classname="d" time="0.0003" file="a &quot;b&quot;.test.ts" line="3" assertions="1">
        <failure type="Error" message="no &lt;b&gt;&#10;${more}">Error: no &lt;b&gt;&#10;${more}&#10;      at f (a.test.ts:3:57)&#10;      at g&#10;</failure>
      </testcase>
      <testcase name="slow" classname="d" time="0.05" file="a &quot;b&quot;.test.ts" line="3" assertions="0">
        <failure type="TimeoutError" message="test timed out" />
      </testcase>
      <testcase name="later" classname="d" time="0" file="a &quot;b&quot;.test.ts" line="3" assertions="0">
        <skipped />
      </testcase>
      <testcase name="fine" classname="d" time="0" file="a &quot;b&quot;.test.ts" line="3" assertions="0" />
    </testsuite>
  </testsuite>
</testsuites>`;
const green = '<testsuites tests="2" failures="0" skipped="0"><testsuite name="a" file="a" tests="2">';

test("a report gives the counts, and the names of what failed with the beginning of its error", () => {
  expect(readReport(report, ['a "b".test.ts'], "exit code 1")).toEqual({
    passed: 2,
    skipped: 1,
    failures: [
      [
        'a "b".test.ts > d > 1 < 0',
        "Error: no <b>",
        ...Array.from({ length: 11 }, (_, n) => `line ${n}`),
        "at f (a.test.ts:3:57)",
      ].join("\n      "),
      'a "b".test.ts > d > slow\n      test timed out',
    ],
  });
});

test("a file of which no test ran is a failure, even if the rest passed and the exit code was good", () => {
  expect(readReport(green, ["a", "b"], undefined)).toEqual({
    passed: 2,
    skipped: 0,
    failures: ["b: no test of it ran"],
  });
});

test("a bad end is a failure, even if every test passed", () => {
  expect(readReport(green, ["a"], "exit code 1").failures).toEqual(["exit code 1"]);
  expect(readReport(green, ["a"], undefined).failures).toEqual([]);
});

test.each([undefined, "", "<testsuites", "<testsuites>"])(
  "no report, or half of one (%p), is a failure",
  (half) => {
    expect(readReport(half, ["a"], "exit code 3")).toEqual({
      passed: 0,
      skipped: 0,
      failures: ["no report: exit code 3"],
    });
  },
);

test("failures that the report counts but does not name are counted", () => {
  expect(readReport(green.replace('failures="0"', 'failures="2"'), ["a"], "exit code 1")).toMatchObject({
    passed: 0,
    failures: { length: 2 },
  });
});

test("the last line sums, and speaks of skipped only if there are any", () => {
  const outcome = { passed: 2, skipped: 0, failures: ["x"] };
  expect(lastLine([outcome, outcome])).toBe("4 passed, 2 failed");
  expect(lastLine([outcome, { passed: 1, skipped: 3, failures: [] }])).toBe("3 passed, 1 failed, 3 skipped");
  expect(lastLine([])).toBe("0 passed, 0 failed");
});

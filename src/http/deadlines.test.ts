import { expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { until } from "../testing/until.ts";
import { withDeadline } from "./deadlines.ts";

/** Deadlines whose ends are written down. No other test has their lengths. */
function recorded() {
  const ended: { name: string; afterMs: number }[] = [];
  return {
    ended,
    names: () => ended.map(({ name }) => name),
    start(name: string, limitMs: number): () => void {
      const startMs = performance.now();
      return withDeadline(limitMs, () => ended.push({ name, afterMs: performance.now() - startMs }));
    },
  };
}

test("it ends after its limit and not before, once; and not when it was called off", async () => {
  const { ended, names, start } = recorded();
  const inTime = start("in time", 31);
  start("late", 31);
  inTime();
  inTime();
  const sinceMs = performance.now();
  start("witness", 62);
  await until("all is over", () => names().includes("witness"));
  expect(names()).toEqual(["late", "witness"]);
  expect(ended[0]?.afterMs).toBeGreaterThanOrEqual(31);
  expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(62);
});

test("to call it off when it is over does no harm", async () => {
  const { names, start } = recorded();
  const inTime = start("first", 32);
  await until("it is over", () => names().length === 1);
  inTime();
  start("second", 32);
  await until("the next is over", () => names().length === 2);
});

test("one that comes after others of its length were called off, or are over, has its whole time", async () => {
  const { ended, names, start } = recorded();
  for (const name of ["first", "second"]) {
    start("called off", 33)();
    await Bun.sleep(5);
    start(name, 33);
    await until("it is over", () => names().includes(name));
  }
  expect(names()).toEqual(["first", "second"]);
  for (const { afterMs } of ended) expect(afterMs).toBeGreaterThanOrEqual(33);
});

test("many of one length end in their order, from whichever turn they are", async () => {
  const { names, start } = recorded();
  const started: string[] = [];
  for (let n = 0; n < 1_000; n += 1) {
    start(`${n}`, 34);
    started.push(`${n}`);
    if (n % 50 === 0) await Bun.sleep(1);
  }
  await until("all are over", () => names().length >= started.length);
  expect(names()).toEqual(started);
});

test("one may begin when another of its length ends", async () => {
  const ends: number[] = [];
  const again = () => {
    ends.push(performance.now());
    if (ends.length < 3) withDeadline(20, again);
  };
  const startMs = performance.now();
  withDeadline(20, again);
  await until("the third is over", () => ends.length === 3);
  for (const [n, endMs] of ends.entries())
    expect(endMs - (ends[n - 1] ?? startMs)).toBeGreaterThanOrEqual(20);
});

test("a long one does not hold up a short one, nor is it cut short", async () => {
  const { names, start } = recorded();
  const inTime = start("long", 60_000);
  start("short", 35);
  await until("the short one is over", () => names().includes("short"));
  inTime();
  expect(names()).toEqual(["short"]);
});

test("whatever is begun and called off, each that was not ends once, after its limit and in order with its length", async () => {
  const deadline = fc.record({
    limitMs: fc.constantFrom(1, 2, 7, 15),
    calledOff: fc.boolean(),
    pauseMs: fc.constantFrom(undefined, 0, 1, 5),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(deadline, { minLength: 1, maxLength: 40 }), async (deadlines) => {
      const { ended, names, start } = recorded();
      const callOff: (() => void)[] = [];
      for (const [n, { limitMs, calledOff, pauseMs }] of deadlines.entries()) {
        const inTime = start(`${n}`, limitMs);
        // Now, or at the end of this turn when others of its length have come.
        if (calledOff && n % 2 === 0) inTime();
        else if (calledOff) callOff.push(inTime);
        if (pauseMs === undefined) continue;
        for (const inTime of callOff.splice(0)) inTime();
        await Bun.sleep(pauseMs);
      }
      for (const inTime of callOff) inTime();
      const lasting = deadlines.flatMap(({ calledOff }, n) => (calledOff ? [] : [`${n}`]));
      start("witness", 15);
      await until("all are over", () => ended.length > lasting.length);
      expect(
        names()
          .filter((name) => name !== "witness")
          .sort(),
      ).toEqual(lasting.sort());
      for (const limitMs of new Set(deadlines.map(({ limitMs }) => limitMs))) {
        const ofLength = names()
          .map(Number)
          .filter((n) => deadlines[n]?.limitMs === limitMs);
        expect(ofLength).toEqual(ofLength.toSorted((one, other) => one - other));
      }
      for (const { name, afterMs } of ended)
        expect(afterMs).toBeGreaterThanOrEqual(deadlines[Number(name)]?.limitMs ?? 15);
    }),
    { numRuns: 30 },
  );
});

test("a process that has nothing else to do ends when its last deadline is over", async () => {
  const program = `
    import { withDeadline } from ${JSON.stringify(join(import.meta.dir, "deadlines.ts"))};
    for (const limitMs of [20, 40, 40]) withDeadline(limitMs, () => console.log("late", limitMs));
    withDeadline(60, () => console.log("called off"))();
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", timeout: 20_000 });
  const said = await child.stdout.text();
  expect({ said, exitCode: await child.exited }).toEqual({
    said: "late 20\nlate 40\nlate 40\n",
    exitCode: 0,
  });
});

import { expect, test } from "bun:test";
import fc from "fast-check";
import { Counter, Histogram, Registry } from "prom-client";
import { sumOf } from "../../testing/tier-process.ts";
import { cheapCounters, createRegistry, latencyBucketsS, latencyHistogram } from "./metrics.ts";

/** A registry as a tier's own is, but with nothing in it. */
function emptyRegistry(): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ instance: "one" });
  return registry;
}

const options = { name: "some_seconds", help: "What it is: some \\ text\nof two lines." };

test("a latency histogram's text is prom-client's, whatever is observed and however often it is asked", async () => {
  const bound = fc.constantFrom(...latencyBucketsS);
  const seconds = fc.oneof(
    bound,
    // As near to a bound as a number can be.
    bound.map((s) => s * (1 + Number.EPSILON)),
    bound.map((s) => s * (1 - Number.EPSILON)),
    fc.double({ min: 0, max: 40, noNaN: true }),
    fc.double({ min: 30, max: 1e9, noNaN: true }),
    fc.constantFrom(0, 30, 30.000001, 1e9),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(seconds, { maxLength: 50 }), { maxLength: 4 }), async (scrapes) => {
      const [own, theirs] = [emptyRegistry(), emptyRegistry()];
      const histogram = latencyHistogram(own, options.name, options.help);
      const reference = new Histogram({ ...options, buckets: latencyBucketsS, registers: [theirs] });
      for (const observations of [[], ...scrapes]) {
        for (const one of observations) {
          histogram.observe(one);
          reference.observe(one);
        }
        expect(await own.metrics()).toBe(await theirs.metrics());
      }
    }),
    { numRuns: 200 },
  );
});

test("a bucket has what is as long as its bound, and everything shorter", async () => {
  const registry = new Registry();
  const { observe } = latencyHistogram(registry, "x", "X.");
  for (const seconds of [0.0005, 0.001, 30, 31]) observe(seconds);
  const text = await registry.metrics();
  for (const line of ['x_bucket{le="0.001"} 2', 'x_bucket{le="20"} 2', 'x_bucket{le="30"} 3'])
    expect(text).toContain(`${line}\n`);
  for (const line of ['x_bucket{le="+Inf"} 4', "x_sum 61.0015", "x_count 4"])
    expect(text).toContain(`${line}\n`);
});

test("a name that is taken is refused, as with prom-client's own", () => {
  const registry = new Registry();
  latencyHistogram(registry, "x", "X.");
  expect(() => latencyHistogram(registry, "x", "X.")).toThrow(/already been registered/);
});

const labels = {
  accepted: { outcome: "accepted", fate: "stored" },
  refused: { outcome: "refused", fate: "none" },
  unknown: { outcome: "unknown", fate: "unknown" },
};
type Name = keyof typeof labels;
const names = Object.keys(labels) as Name[];

test("cheap counters are there from the start, at zero", async () => {
  const registry = emptyRegistry();
  cheapCounters(registry, { name: "orders_total", help: "Orders." }, labels);
  const text = await registry.metrics();
  for (const { outcome, fate } of Object.values(labels))
    expect(text).toContain(`orders_total{outcome="${outcome}",fate="${fate}",instance="one"} 0\n`);
});

test("cheap counters go on counting across scrapes, also two at a time, as prom-client's do", async () => {
  const step = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom(...names),
    fc.constantFrom("scrape" as const, "two scrapes" as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const [own, theirs] = [emptyRegistry(), emptyRegistry()];
      const given = { name: "orders_total", help: "Orders." };
      const count = cheapCounters(own, given, labels);
      const reference = new Counter({ ...given, labelNames: ["outcome", "fate"], registers: [theirs] });
      for (const name of names) reference.inc(labels[name], 0);
      let counted = 0;
      for (const one of [...steps, "scrape" as const]) {
        if (one === "scrape" || one === "two scrapes") {
          const times = one === "scrape" ? 1 : 2;
          const expected = await theirs.metrics();
          const texts = await Promise.all(Array.from({ length: times }, () => own.metrics()));
          for (const text of texts) expect(text).toBe(expected);
          expect(sumOf(expected, "orders_total")).toBe(counted);
        } else {
          count(one);
          reference.inc(labels[one]);
          counted += 1;
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("a process tells its own metrics, but none for which its whole heap would be walked", async () => {
  const text = await createRegistry("one").metrics();
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "nodejs_heap_size_used_bytes",
  ])
    expect(text).toContain(`${name}{instance="one"}`);
  expect(text).not.toContain("heap_space");
});

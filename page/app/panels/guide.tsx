/** The first five minutes: what to do, what to expect, and the rule by which it holds. One step at a time. */
import { signal } from "@preact/signals";
import { type StageState, type Verdict, verdictTitles } from "../../state.ts";
import { act, part, state, strike } from "../store.ts";

interface Step {
  title: string;
  expect: string;
  label: string;
  run(now: StageState): Promise<boolean>;
  /** What to look at, and why it held; at the end, whether it did. */
  rule: string | ((status: Verdict["status"]) => string);
  /** The section of ARCHITECTURE.md. */
  section: string;
  offered(now: StageState): boolean;
}

/** The first that is up, of a tier, by its role where that matters. */
const victim = (now: StageState, tier: string, role?: string) =>
  Object.entries(now.instances).find(
    ([, one]) => one.tier === tier && one.state === "up" && (role === undefined || one.role === role),
  )?.[0];
const can = (tier: string, fault: string) => (now: StageState) => now.faults[tier]?.includes(fault) ?? false;
const suite = "«bun run prove» does the same with every fault of the suite, and ends with a verdict.";
/** Who walked to the end without an order has seen nothing. */
const atTheEnd = (status: Verdict["status"]) =>
  status === "good"
    ? `You have seen the promise hold. ${suite}`
    : `${verdictTitles[status]}: see above. ${suite}`;
const hit = (fault: string, tier: string, role?: string) => async (now: StageState) => {
  const target = victim(now, tier, role) ?? victim(now, tier);
  return target !== undefined && strike(fault, target);
};

const steps: Step[] = [
  {
    title: "Let orders flow",
    expect: "A hundred orders a second go through every tier. The figures above count each of them.",
    label: "Send 100 orders/s",
    run: () => act({ do: "load", ratePerS: 100, paused: false, mix: "single" }),
    rule: "An order is answered 202 only when two brokers have it. That answer is what is held against the ledger.",
    section: "The way of an order",
    offered: () => true,
  },
  {
    title: "Kill a producer",
    expect: "Its requests are under way. HAProxy sends them to another producer, with the same key.",
    label: "Kill a producer",
    run: hit("kill", "producer"),
    rule: "The id of an order comes from customer and key alone, so a request that is sent twice is one order. What clients were told is above: refused and unknown stay as they are.",
    section: "Invariants that are not obvious",
    offered: can("producer", "kill"),
  },
  {
    title: "Now a broker",
    expect:
      "A third of the partitions loses its leader. For a few seconds orders go to the others; then leaders move.",
    label: "Kill the controller",
    run: hit("kill", "broker", "controller"),
    rule: "Every accepted order is on a second broker. Partitions that do not acknowledge are passed over until their in-sync set has shrunk.",
    section: "When a broker dies",
    offered: can("broker", "kill"),
  },
  {
    title: "Freeze a consumer",
    expect:
      "It stands still and does not know it. After its session ends, others take its partitions: orders wait, then are handled.",
    label: "Pause a consumer",
    run: hit("pause", "consumer"),
    rule: "An offset is committed only after the work. What was in its hands comes again to another, and the ledger's key makes the effect happen once.",
    section: "The commit rule",
    offered: can("consumer", "pause"),
  },
  {
    title: "Stop a ZooKeeper node",
    expect:
      "Nothing happens to orders: two of three are a majority. If it was the leader, another one is elected.",
    label: "Kill ZooKeeper's leader",
    run: hit("kill", "zookeeper", "leader"),
    rule: "Brokers need ZooKeeper to choose leaders, not to take orders.",
    section: "When a broker dies",
    offered: can("zookeeper", "kill"),
  },
  {
    title: "Heal everything",
    expect: "All come back. What waited is handled, and lost stays 0.",
    label: "Heal everything",
    run: () => act({ do: "heal-all" }),
    rule: atTheEnd,
    section: "The proof",
    offered: () => true,
  },
];

const at = signal(0);
const done = signal(false);
const status = part((now) => now.verdict.status);
const offered = part((now) => steps.filter((step) => step.offered(now)).length);

export function Guide() {
  const now = state.peek();
  // Drawn anew only where the number of steps differs.
  if (!now || offered.value === undefined) return null;
  const here = steps.filter((step) => step.offered(now));
  const step = here[Math.min(at.value, here.length - 1)] as Step;
  const isLast = at.value >= here.length - 1;
  const run = async () => {
    const latest = state.peek();
    if (latest && (await step.run(latest))) done.value = true;
  };
  const go = (place: number) => {
    at.value = place;
    done.value = false;
  };
  return (
    <section class="panel guide" aria-labelledby="guide-title">
      <h2 id="guide-title">The first five minutes</h2>
      <p class="quiet">
        Step {at.value + 1} of {here.length}
      </p>
      <h3>{step.title}</h3>
      <p>{step.expect}</p>
      <p>
        <button type="button" class="main" onClick={run}>
          {step.label}
        </button>
      </p>
      {done.value && (
        <p class="rule" role="status">
          {typeof step.rule === "string" ? step.rule : step.rule(status.value ?? "idle")}{" "}
          <cite>ARCHITECTURE.md, «{step.section}»</cite>
        </p>
      )}
      <p class="walk">
        <button type="button" class="plain" disabled={at.value === 0} onClick={() => go(at.value - 1)}>
          ‹ Back
        </button>
        <button type="button" class="plain" disabled={isLast} onClick={() => go(at.value + 1)}>
          Next ›
        </button>
      </p>
    </section>
  );
}

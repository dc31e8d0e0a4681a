/** Defects of who handles records, and says how each ends. */
import type { Defect } from "./defects.ts";

export const ofHandling: Defect[] = [
  {
    defect: "RetryLater is counted as an attempt",
    file: "attempt.ts",
    right: 'if (thrown instanceof RetryLater) return { kind: "later", reason };',
    wrong: "",
  },
  {
    defect: "the breaker never opens",
    file: "breaker.ts",
    right: "|| !nearlyAll) return true;",
    wrong: "|| nearlyAll || true) return true;",
  },
  {
    defect: "while all fail one probe follows the other at once",
    file: "breaker.ts",
    right:
      "probeAtMs = failed.length > 0 ? nowMs + backoffMs(probes, probeBaseMs, probeMaxMs, random) : nowMs;",
    wrong: "probeAtMs = nowMs;",
  },
  {
    defect: "a record is finished before its letter is acknowledged",
    file: "processor.ts",
    right: "const buried = deadLetters.bury(",
    wrong: "tracker.finish(record);\n      const buried = deadLetters.bury(",
  },
  {
    defect: "who breaks the ledger's connection each time is waited for as if it were down",
    file: "recorder.ts",
    right: "const mostBrokenOff = 10;",
    wrong: "const mostBrokenOff = Number.POSITIVE_INFINITY;",
  },
  {
    defect: "what is tried again goes behind its customer's next",
    file: "scheduler.ts",
    right: "queue.waiting.unshift(",
    wrong: "queue.waiting.push(",
  },
  {
    defect: "an effect is done without a look whether it is",
    file: "processor.ts",
    right: "work.effected ||= await isKnown(work);",
    wrong: "",
  },
  {
    defect: "an effect begins when its partition is to be given up",
    file: "processor.ts",
    right: "      if (work.owner.leaving) return [];\n",
    wrong: "",
  },
  {
    defect: "the deadline of an effect is not called off",
    file: "processor.ts",
    right: "        deadline.stop();\n",
    wrong: "",
  },
  {
    defect: "a letter that is on its way does not hold up a release",
    file: "processor.ts",
    right: "    owner.running += 1;\n",
    wrong: "    owner.running += 0;\n",
  },
  {
    defect: "an order is given up one attempt early",
    file: "processor.ts",
    right: "const spent = work.attempts / config",
    wrong: "const spent = (work.attempts + 1) / config",
  },
  {
    defect: "attempts are made in a row",
    file: "processor.ts",
    right:
      "    work.notBeforeMs = nowMs + backoffMs(work.failures, config.RETRY_BASE_MS, config.RETRY_MAX_MS, random);\n",
    wrong: "    work.notBeforeMs = nowMs;\n",
  },
  {
    defect: "what failed undoes the groups before its own",
    file: "../ledger/apply.ts",
    right: "marks++ && execute`RELEASE SAVEPOINT one`, execute`SAVEPOINT one`",
    wrong: "marks++ === 0 && execute`SAVEPOINT one`",
  },
  {
    defect: "who came before one that failed is left out with it, and who comes after that is not",
    file: "../ledger/apply.ts",
    right: "    const failedCustomers = new Set<string>();\n",
    wrong:
      "    const failedCustomers = new Set([...failed.keys()].slice(0, 1).map(({ order }) => partyOf(order)));\n",
  },
  {
    defect: "the row of who was left out stays",
    file: "../ledger/apply.ts",
    right: "if (left.size > 0)",
    wrong: "if (left.size > 1_000)",
  },
];

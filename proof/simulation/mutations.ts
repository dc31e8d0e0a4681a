/**
 * Puts defects back, one by one, into a copy of the core, and says within how many worlds each is found; ends with 1 when
 * one is not. Not a part of the tests: `bun proof/simulation/mutations.ts`.
 */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownCommandLine } from "../../kit/arguments.ts";

const usage =
  "bun proof/simulation/mutations.ts     takes no options; exit code 1 where a defect is not found";
ownCommandLine(usage, {}, () => undefined);

type Mutation = { defect: string; file: string; right: string; wrong: string };
const mutations: Mutation[] = [
  {
    defect: "an offset that goes back is taken for a repeated fetch",
    file: "ownership.ts",
    right: "cutAt(owner, offset);",
    wrong: "return undefined;",
  },
  {
    defect: "a commit passes a gap",
    file: "offsets.ts",
    right: "const offset = unfinished?.offset ?? next;",
    wrong: "const offset = next;",
  },
  {
    defect: "a cut forgets what waits below it",
    file: "offsets.ts",
    right: "if (at >= offset) open.delete(at);",
    wrong: "open.delete(at);",
  },
  {
    defect: "the topic's id is ignored",
    file: "ownership.ts",
    right: "const isOther = of !== undefined && of !== topicId;",
    wrong: "const isOther = false;",
  },
  {
    defect: "ranges count without their epoch",
    file: "offsets.ts",
    right: "leaderEpoch > known.leaderEpoch || ",
    wrong: "",
  },
  {
    defect: "what was polled before a rewind is taken on after it",
    file: "group-member.ts",
    right: "    watchLogs();\n    const { records, errors } = consumer.poll(isBusy ? 1 : pollRecords);",
    wrong: "    const { records, errors } = consumer.poll(isBusy ? 1 : pollRecords);\n    watchLogs();",
  },
  {
    defect: "a topic that was made anew is read on at the old offset",
    file: "ownership.ts",
    right: 'owner.rewindTo = "beginning";',
    wrong: "",
  },
  {
    defect: "a log that was cut and grew again in its epoch is read on",
    file: "offsets.ts",
    right: "const isCut = newer >= from && newer < offset;",
    wrong: "const isCut = false;",
  },
  {
    defect: "the next owner hears nothing of what is unchecked",
    file: "offsets.ts",
    right: "claim ? [claim.mark] : []",
    wrong: "[]",
  },
  {
    defect: "a mark is given up where what takes the places of the lost is still to come",
    file: "offsets.ts",
    right: "(newer >= 0 || newestMs === upTo)",
    wrong: "true",
  },
  {
    defect: "a commit has one of several marks",
    file: "offsets.ts",
    right: "brief ? 1 : 60",
    wrong: "1",
  },
  {
    defect: "what was under way when a log was cut is passed over",
    file: "ownership.ts",
    right: "cut.length > 0 ? await ask(cut, -lateMs) : newer",
    wrong: "newer",
  },
  {
    defect: "marks stay where they were when a log was cut below them",
    file: "offsets.ts",
    right: "one.offset = Math.min(one.offset, offset);",
    wrong: "one.offset = one.offset;",
  },
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
    right: "await deadLetters.bury(",
    wrong: "tracker.finish(record);\n      await deadLetters.bury(",
  },
  {
    defect: "who breaks the ledger's connection each time is waited for as if it were down",
    file: "recorder.ts",
    right: "const mostBrokenOff = 10;",
    wrong: "const mostBrokenOff = Number.POSITIVE_INFINITY;",
  },
  {
    defect: "the bytes of what is finished are never given back",
    file: "offsets.ts",
    right: "      hand.bytes -= record.bytes;\n",
    wrong: "",
  },
  {
    defect: "an acknowledged commit is made again and again",
    file: "offsets.ts",
    right: "      committed = commit;\n",
    wrong: "",
  },
  {
    defect: "a look-up that failed counts as nothing committed",
    file: "ownership.ts",
    right: "await consumer.committed(partitions, lookUpTimeoutMs)",
    wrong: "await consumer.committed(partitions, lookUpTimeoutMs).catch(() => undefined)",
  },
  {
    defect: "what waits keeps all that was polled with it",
    file: "ownership.ts",
    right: "      record.own();\n",
    wrong: "",
  },
  {
    defect: "partitions are let go without their last commit",
    file: "group-member.ts",
    right: "running || !committer.settled(partitions)",
    wrong: "running",
  },
  {
    defect: "partitions are let go while their work runs",
    file: "group-member.ts",
    right: "running || !committer.settled(partitions)",
    wrong: "!committer.settled(partitions)",
  },
  {
    defect: "partitions are let go only when their work has ended, however long that takes",
    file: "group-member.ts",
    right: "if (clock.nowMs() - sinceMs > revokeTimeoutMs) {",
    wrong: "if (clock.nowMs() < sinceMs) {",
  },
  {
    defect: "a pause outlives the ownership",
    file: "group-member.ts",
    right: "        if (paused) consumer.resume([partition]);\n        owned",
    wrong: "        owned",
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
];

const root = join(import.meta.dir, "../..");
let missed = 0;
for (const { defect, file, right, wrong } of mutations) {
  const copy = mkdtempSync(join(tmpdir(), "mutation-"));
  for (const part of ["src", "kit", "proof", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const path = join(copy, "src/handling", file);
  const text = await Bun.file(path).text();
  if (text.split(right).length !== 2) throw new Error(`${file} does not have once: ${right}`);
  await Bun.write(
    path,
    text.replace(right, () => wrong),
  );
  const child = Bun.spawn([process.execPath, "proof/simulation/main.ts", "--seeds", "10000", "--from", "1"], {
    cwd: copy,
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  const code = await child.exited;
  // Found by its seed; anything else that ends it found nothing.
  if (code !== 0 && !/^seed \d+ breaks/m.test(said)) throw new Error(said);
  if (code === 0) missed += 1;
  console.log(`${defect}: ${said.trim()}`);
  rmSync(copy, { recursive: true });
}
process.exit(missed === 0 ? 0 : 1);

/**
 * Puts load on the balancer with k6 and holds what the client was told against the ledger: every accepted order is
 * there once, with one ticket. `bun run load --rate 1000 --duration 60s` after `make up`.
 * Exit 0: every order accepted, none dropped, each handled once. Exit 1: not so. Exit 2: could not run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stopWhenTold } from "../infra/child.ts";
import { thisMachine, withTools } from "../infra/setup/machine.ts";
import { readAnswers, tally } from "./record.ts";

const settings = parseArgs({
  options: {
    rate: { type: "string", default: "500" },
    duration: { type: "string", default: "60s" },
    url: { type: "string", default: "http://127.0.0.1:8080" },
    ledger: { type: "string", default: "postgres://coffee:coffee@127.0.0.1:15432/coffee" },
  },
}).values;

const folder = mkdtempSync(join(tmpdir(), "coffee-orders-load-"));
try {
  process.exitCode = await run();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true });
}

async function run(): Promise<number> {
  const record = join(folder, "answers");
  const variables = {
    URL: settings.url,
    RATE: settings.rate,
    DURATION: settings.duration,
    RUN: crypto.randomUUID(),
  };
  const k6 = Bun.spawn(
    [
      "k6",
      "run",
      "--no-usage-report",
      "--log-format=raw",
      "--console-output",
      record,
      join(import.meta.dir, "orders.js"),
      ...Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ],
    { env: withTools(thisMachine(stopWhenTold())), stdin: "ignore", stdout: "inherit", stderr: "inherit" },
  );
  const code = await k6.exited;
  const answers = await readAnswers(record);
  const verdict = await tally(answers, settings.ledger);
  console.log(verdict.line);
  return code === 0 && verdict.held ? 0 : 1;
}

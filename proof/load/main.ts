/**
 * Puts load on the balancer with k6 and holds what the client was told against the ledger: every accepted order is
 * there once, with one ticket. After `make up`: `bun run load --profile steady --rate 1000`.
 */
import { Stopped, stopWhenTold } from "../../kit/child.ts";
import { thisMachine } from "../../kit/machine.ts";
import { type LoadSettings, readLoadArguments, usage } from "./arguments.ts";
import { clockMoved } from "./clock.ts";
import { ignoredVariables } from "./environment.ts";
import { fittingRate } from "./held.ts";
import { profileDefaults, stepsOf } from "./profiles.ts";
import { tally } from "./record.ts";
import { startLoadRun } from "./run.ts";
import { summaryLines } from "./summary.ts";

try {
  const settings = readLoadArguments(Bun.argv.slice(2));
  if (settings) process.exitCode = await load(settings);
  else console.log(usage);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}

async function load({ ledger, record, ...settings }: LoadSettings): Promise<number> {
  const stop = stopWhenTold();
  const ignored = ignoredVariables(thisMachine().env);
  if (ignored) console.error(ignored);
  const { profile, durationSeconds, url, access } = settings;
  if (await nobodyIsAt(url))
    throw new Error(`Nobody takes connections at ${url}: make up; or --url names another balancer.`);
  // Whether it can be kept is found out before the load, not after it.
  if (record) await Bun.write(record, "");
  const usual = profileDefaults[profile];
  const given = settings.rate ?? ("rate" in usual ? usual.rate : undefined);
  // A ramp is to go beyond what is held.
  const rate =
    profile === "ramp" && given !== undefined
      ? given
      : await fittingRate(
          { given, share: "share" in usual ? usual.share : 1, url, access, stop },
          console.log,
        );
  const result = await startLoadRun({
    ...settings,
    rate,
    ...(record && { recordPath: record }),
    stop,
    visible: process.stdout.isTTY,
  }).done;
  console.log(`\n${summaryLines(result, stepsOf(profile, rate, durationSeconds)).join("\n")}\n`);
  const { line, once, held } = await tally(result.answers, ledger);
  console.log(line);
  if (stop.aborted) throw new Stopped("a signal: this was not the whole load");
  // A ramp is to end beyond the knee, where orders are refused; what was accepted counts there as well.
  const good = profile === "ramp" ? once : held;
  if (good && result.crossed.length === 0) return 0;
  const untested = once ? clockMoved(result.clockMovedMs) : undefined;
  if (untested !== undefined) throw new Error(untested);
  return 1;
}

/** Said at once: to send orders to nobody for ten seconds tells less. */
async function nobodyIsAt(url: string): Promise<boolean> {
  const refused = (error: Error & { code?: string }) => /refused/i.test(error.code ?? "");
  return fetch(url, { signal: AbortSignal.timeout(5_000) }).then(() => false, refused);
}

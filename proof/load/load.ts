/** `bun run load` once its command line is read and k6 is there: the load, then its record held against the ledger. */
import { Stopped } from "../../kit/child.ts";
import type { Machine } from "../../kit/machine.ts";
import { UserError } from "../../kit/user-error.ts";
import type { LoadSettings } from "./arguments.ts";
import { clockMoved } from "./clock.ts";
import { ignoredVariables } from "./environment.ts";
import { fittingRate } from "./held.ts";
import { lookUpAt } from "./look-up.ts";
import { profileDefaults, stepsOf } from "./profiles.ts";
import { tally } from "./record.ts";
import { startLoadRun } from "./run.ts";
import { summaryLines } from "./summary.ts";

/** @returns the exit code */
export async function load(
  { ledger, record, ...settings }: LoadSettings,
  { env, say, stop }: Machine,
): Promise<number> {
  const ignored = ignoredVariables(env);
  if (ignored) say(ignored);
  const { profile, durationSeconds, url, access } = settings;
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
  const { line, once, held } = await tally(result.answers, ledger, lookUpAt(url, access));
  console.log(line);
  if (stop.aborted) throw new Stopped("a signal: this was not the whole load");
  // A ramp is to end beyond the knee, where orders are refused; what was accepted counts there as well.
  const good = profile === "ramp" ? once : held;
  if (good && result.crossed.length === 0) return 0;
  if (good === undefined && result.crossed.length === 0)
    throw new UserError(
      "For a minute nothing more was handled, so there is no verdict on what waits: nothing says that it is lost. " +
        "See that the consumers run (docs/troubleshooting.md), and load again.",
    );
  const untested = once ? clockMoved(result.clockMovedMs) : undefined;
  if (untested !== undefined) throw new Error(untested);
  return 1;
}

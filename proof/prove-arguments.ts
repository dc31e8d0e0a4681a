// The command line of `bun run prove`.
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { isSecured } from "../infra/secure/access.ts";
import { knownWord, readCommandLine, wholeNumber } from "../kit/arguments.ts";
import { UserError } from "../kit/user-error.ts";
import { whyNoNetworkFaults } from "./faults/network.ts";
import type { FaultName } from "./faults/registry.ts";
import { type ScenarioName, scenarioNames, scenarios } from "./plan/scenarios.ts";
import { plan, type Schedule, type ScheduleOptions } from "./plan/schedule.ts";
import { scenarioSuites } from "./plan/suites.ts";
import { rotations } from "./plan/taken-down.ts";

export interface ProofSettings extends ScheduleOptions {
  /** Undefined: as much as fits the machine. */
  ratePerS: number | undefined;
  /** The folder that the reports of all runs go to. */
  out: string;
  /** Compose's project; undefined: that of `make up`. */
  project: string | undefined;
  /** On a topology of its own, from empty volumes, which is removed afterwards. */
  fresh: boolean;
}

export const usage = `bun run prove [--suite quick|full | --faults NAME,NAME+NAME,...] [--seed TEXT] [--rate N]

Real load and seeded faults on the topology of \`make up\`, which is started if it does not run; then what the clients
were told is held against what the system has. Exit 0: the promise held; 1: broken; 2: could not be put to the test.

  --suite quick       the default: ${scenarioSuites.quick.flat().join(", ")}
  --suite full        every row of the table of targets
  --faults a,b+c      these, one round after the other; with + at once
  --duration 600      seconds: draws faults by the seed, or repeats the named ones, while they fit
  --seed TEXT         the same seed, the same run; a new one by default, printed first
  --without-majority  draws also faults that leave no majority of brokers or of ZooKeeper
  --rate N            orders per second; by default a quarter of what the machine holds, found out in ten seconds
  --fresh             on a topology of its own, on free ports, removed afterwards with its data
  --project NAME      on this Compose project, which runs; with --fresh one is made under the name
  --out out/prove     where the reports go, a folder for each seed

Faults: ${scenarioNames.join(", ")}`;

/** @throws UserError that says what is wrong, and what there is instead */
export function settingsOf(argv: string[]): ProofSettings | "help" {
  const values = read(argv);
  if (values.help) return "help";
  const { suite, faults, duration } = values;
  if (suite !== undefined && faults !== undefined) throw new UserError("--suite or --faults, not both.");
  const named =
    faults !== undefined ? faults.split(",").map(roundOf) : suite !== undefined ? roundsOf(suite) : undefined;
  const wanted = named ?? (duration === undefined ? roundsOf("quick") : undefined);
  return {
    seed: values.seed ?? crypto.randomUUID().slice(0, 8),
    ...(wanted && { wanted }),
    ...(duration !== undefined && { durationMs: wholeNumber("--duration", duration, 1) * 1_000 }),
    withoutMajority: values["without-majority"],
    ratePerS: values.rate === undefined ? undefined : wholeNumber("--rate", values.rate, 1),
    out: values.out,
    project: values.project,
    fresh: values.fresh,
  };
}

/** By a fault's name: why it can't be had, where it can't. */
const whyNot = (fresh: boolean, secured: boolean): Partial<Record<FaultName, string | false | undefined>> => {
  const unsecured = !secured && "there are users and keys to change with SECURE=1 only.";
  return {
    "disk-full": !fresh && "only a topology of its own has a disk that may be filled: --fresh",
    ...Object.fromEntries([...rotations.users, ...rotations.edge].map((name) => [name, unsecured])),
    partition: whyNoNetworkFaults("iptables"),
    slow: whyNoNetworkFaults("tc"),
  };
};

/** What is to be done when. @throws UserError where it can't be, before anything is begun: not in its seventh round */
export function scheduleOf(settings: ProofSettings, secured = isSecured(process.env)): Schedule {
  try {
    const schedule = plan(settings);
    const reasons = whyNot(settings.fresh, secured);
    for (const { scenario } of schedule.rounds.flatMap(({ steps }) => steps)) {
      const why = reasons[scenarios[scenario].fault];
      if (why) throw new UserError(`${scenario}: ${why}`);
    }
    return schedule;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`--duration ${Number(settings.durationMs) / 1_000}: ${error.message}`);
  }
}

/** Makes the folder of a run's report: before the run, not after half an hour of it. @throws UserError when it can't */
export function reportFolder({ out }: ProofSettings, { seed }: Schedule): string {
  const folder = join(out, seed.replace(/[^\w.-]/g, "_"));
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch (error) {
    throw new UserError(`No report can be written: ${(error as Error).message}`);
  }
}

function read(args: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const options = {
    ...{ suite: text, faults: text, seed: text, duration: text, project: text, rate: text },
    ...{ "without-majority": flag, fresh: flag, help: flag },
    out: { ...text, default: join(import.meta.dir, "..", "out", "prove") },
  };
  return readCommandLine({ args, options }, usage).values;
}

const roundsOf = (suite: string): readonly (readonly ScenarioName[])[] =>
  scenarioSuites[knownWord("suite", suite, ["quick", "full"])];

const roundOf = (round: string): ScenarioName[] =>
  round.split("+").map((name) => knownWord("fault", name, scenarioNames));

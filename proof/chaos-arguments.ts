// The command line of faults by hand. What is not understood is said with what there is to choose from, and nothing is
// injected: a fault that hits another container than was meant is worse than none.
import { knownWord, readCommandLine, wholeNumber } from "../kit/arguments.ts";
import { UserError } from "../kit/user-error.ts";
import { type FaultName, faultNames, faults } from "./faults/registry.ts";
import { type Tier, tiers } from "./system/system.ts";
import { type Role, roles, type Target } from "./system/targets.ts";

export type ChaosCommand =
  | "help"
  | { do: "show"; project?: string }
  | { do: "heal"; project?: string }
  | { do: "inject"; fault: FaultName; target: Target; from?: Target; forMs?: number; project?: string };

const listed = Object.entries(roles).flatMap(([tier, known]) =>
  Object.entries(known).map(([role, what]) => `  ${`${tier} --role ${role}`.padEnd(28)} ${what}`),
);

export const usage = `bun run chaos FAULT TIER [--role ROLE | --nth N | --count N | --all] [--for SECONDS]
bun run chaos heal       undoes whatever was injected, by whomever
bun run chaos show       who is there, and who has which role

Faults:
${faultNames.map((name) => `  ${name.padEnd(18)} ${faults[name].what}`).join("\n")}

Tiers: ${tiers.join(", ")}; any one of the tier, or
  --nth 2                      its second
  --count 2, --all             that many of it, all of it
${listed.join("\n")}
  broker --role leader --partition 3

Options:
  --from broker:2, --from broker      partition: from whom it is cut off; all of the tier without a number
  --for 30                            heals by itself after so many seconds, and on Ctrl-C
  --project NAME                      another Compose project than that of make up

Examples:
  bun run chaos kill broker --role leader
  bun run chaos partition producer --nth 1 --from broker:2 --for 30
  bun run chaos pause consumer --for 20`;

/** @throws UserError that says what is wrong, and what there is instead */
export function parse(argv: string[]): ChaosCommand {
  const { values, positionals } = read(argv);
  const [verb, tier, ...rest] = positionals;
  const project = values.project === undefined ? {} : { project: values.project };
  if (values.help || verb === undefined || verb === "help") return "help";
  if (verb === "heal" || verb === "show") {
    const others = [
      tier,
      ...rest,
      ...Object.keys(values)
        .filter((name) => name !== "project")
        .map((name) => `--${name}`),
    ].filter(Boolean);
    if (others.length > 0)
      throw new UserError(`${verb} is of the whole topology, and takes no ${others[0]}.`);
    return { do: verb, ...project };
  }
  const fault = knownWord("fault", verb, faultNames);
  if (values.from !== undefined && fault !== "partition")
    throw new UserError(`--from belongs to partition, not to ${fault}.`);
  if (rest.length > 0) throw new UserError(`More than a fault and a tier: ${rest.join(" ")}`);
  if (tier === undefined) throw new UserError(`On whom? ${tiers.join(", ")}`);
  return {
    do: "inject",
    fault,
    target: targetOf(knownWord("tier", tier, tiers), values),
    ...(values.from !== undefined && { from: fromOf(values.from) }),
    ...(values.for !== undefined && { forMs: wholeNumber("--for", values.for, 1) * 1_000 }),
    ...project,
  };
}

function read(argv: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = {
    ...{ role: text, partition: text, nth: text, count: text, from: text, for: text, project: text },
    ...{ all: flag, help: flag },
  };
  return readCommandLine({ args: argv, options, allowPositionals: true }, usage);
}

type Values = ReturnType<typeof read>["values"];

function targetOf(tier: Tier, { role, partition, nth, count, all }: Values): Target {
  const ways = [role, nth, count, all].filter((way) => way !== undefined);
  if (ways.length > 1) throw new UserError("One of --role, --nth, --count and --all, not several.");
  const known = Object.keys(roles[tier as keyof typeof roles] ?? {});
  if (role !== undefined && known.length === 0) throw new UserError(`A ${tier} has no roles.`);
  if (partition !== undefined && !(tier === "broker" && role === "leader"))
    throw new UserError("--partition belongs to broker --role leader.");
  return {
    tier,
    ...(role !== undefined && { role: knownWord(`role of a ${tier}`, role, known) as Role }),
    ...(partition !== undefined && { partition: wholeNumber("--partition", partition, 0) }),
    ...(nth !== undefined && { nth: wholeNumber("--nth", nth, 1) }),
    ...(count !== undefined && { count: wholeNumber("--count", count, 1) }),
    ...(all && { count: "all" as const }),
  };
}

function fromOf(text: string): Target {
  const [tier = "", nth] = text.split(":");
  return {
    tier: knownWord("tier", tier, tiers),
    ...(nth === undefined ? { count: "all" } : { nth: wholeNumber("--from", nth, 1) }),
  };
}

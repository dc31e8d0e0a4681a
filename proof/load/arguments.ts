/** What the command line asks of a load run, or why it can't be understood. */
import { type EdgeAccess, edgeAccess, isSecured, ledgerOptions } from "../../infra/secure/access.ts";
import { knownWord, mostByDefault, readCommandLine, wholeNumber } from "../../kit/arguments.ts";
import { portOf } from "../../kit/ports.ts";
import { UserError } from "../../kit/user-error.ts";
import { type Profile, profileDefaults, profiles } from "./profiles.ts";

const listed = profiles.map((name) => {
  const { what, durationSeconds, ...usual } = profileDefaults[name];
  const rate = "rate" in usual ? `${usual.rate}/s` : `${100 * usual.share} % of what the machine holds`;
  return `  ${name.padEnd(8)} ${what} (${rate}, ${durationSeconds} s)`;
});

export const usage = `Usage: bun run load [--profile NAME] [--rate ORDERS_PER_SECOND] [--duration 60s|10m]
                    [--url BALANCER] [--ledger POSTGRES_URL] [--record FILE]

Profiles, with the rate (the highest, where it varies) and duration unless told otherwise:
${listed.join("\n")}

What the machine holds is found out first, in ten seconds or a few times as long. The rate is that of all orders together:
single ones, most of the requests, and batches of 2 to 200; some in chunks, some in slow pieces. Beyond it, one request in
fifty is sent once more when it has been accepted. --record keeps the client's record: a line for each order.
LB_PORT, POSTGRES_PORT, POSTGRES_PASSWORD and SECURE are as for make up. Variables that are k6's own (K6_*) are ignored.
Exit code: 0 all is well; 1 a threshold was crossed, or an order not accepted or not handled once; 2 could not run, or orders still wait to be handled.`;

export type LoadSettings = {
  profile: Profile;
  /** Undefined: by the profile. */
  rate: number | undefined;
  durationSeconds: number;
  url: string;
  /** What the balancer asks for (SECURE=1). */
  access: EdgeAccess | undefined;
  ledger: string | ReturnType<typeof ledgerOptions>;
  record: string | undefined;
};

const secondsIn: Record<string, number> = { "": 1, s: 1, m: 60, h: 3_600 };

/** @returns undefined when help is asked for. @throws UserError that says what can't be understood */
export function readLoadArguments(args: string[]): LoadSettings | undefined {
  // As compose.yaml takes them: what is empty is not set.
  const { LB_PORT, POSTGRES_PORT, POSTGRES_PASSWORD } = process.env;
  const lbPort = portOf("LB_PORT", LB_PORT || "8080");
  const ledgerPort = portOf("POSTGRES_PORT", POSTGRES_PORT || "15432");
  const secured = isSecured(process.env);
  const options = {
    profile: { type: "string", default: "steady" },
    rate: { type: "string" },
    duration: { type: "string" },
    url: { type: "string", default: `http${secured ? "s" : ""}://127.0.0.1:${lbPort}` },
    ledger: { type: "string" },
    record: { type: "string" },
    help: { type: "boolean", default: false },
  } as const;
  const { values } = readCommandLine({ args, options }, usage);
  if (values.help) return undefined;
  const profile = knownWord("profile", values.profile, profiles);
  const defaults = profileDefaults[profile];
  const rate = values.rate === undefined ? undefined : wholeNumber("--rate", values.rate, 1);
  const [, amount, unit = ""] =
    /^([1-9]\d*)([smh]?)$/.exec(values.duration ?? `${defaults.durationSeconds}`) ?? [];
  const durationSeconds = Number(amount) * (secondsIn[unit] ?? 1);
  if (!(durationSeconds <= mostByDefault))
    throw new UserError(
      `--duration ${values.duration}: 60s, 10m or 1h is expected, ${mostByDefault}s at most`,
    );
  const { url, record } = values;
  const usualLedger = secured
    ? ledgerOptions("prove", ledgerPort)
    : `postgres://coffee:${POSTGRES_PASSWORD || "coffee"}@127.0.0.1:${ledgerPort}/coffee`;
  const ledger = values.ledger ?? usualLedger;
  if (!/^https?:\/\/[^/?#]+$/.test(url) || !URL.canParse(url))
    throw new UserError(`--url ${url}: http://host:port is expected`);
  if (values.ledger !== undefined && !/^postgres(ql)?:\/\/./.test(values.ledger))
    throw new UserError(`--ledger ${values.ledger}: postgres://user:password@host:port/database is expected`);
  const access = secured ? edgeAccess() : undefined;
  return { profile, rate, durationSeconds, url, access, ledger, record };
}

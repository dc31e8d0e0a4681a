/** What the command line asks for, or why it can't be understood: nothing is done on a guess. */
import type { ParseArgsOptionsConfig } from "node:util";
import { readCommandLine } from "../../kit/arguments.ts";
import { UserError } from "../../kit/user-error.ts";
import type { Filter } from "./letters.ts";

export const usage = `Usage: bun run dead COMMAND [OPTIONS]

  list                       counts by reason, then the newest letters
  show PARTITION/OFFSET      one letter in full, headers and value
  redrive PARTITION/OFFSET   sends one letter's original record back to the orders topic,
  redrive FILTERS | --all    or that of every letter that is meant; repeating it is harmless:
                             the ledger recognises an order that was handled
  purge --before TIME        deletes the letters up to the first that is not older,
  purge --all                or all that are there now

Filters, all of which must apply (list, redrive):
  --reason TEXT              the reason contains TEXT
  --order ID                 this order
  --customer NAME            this customer
  --since TIME               given up then or later: RFC 3339, or an age such as 90s, 15m, 2h, 7d
  --before TIME              given up before

Options:
  --limit N                  at most N letters: list shows the newest (default 50), redrive takes the first
                             and says where it stopped
  --after PARTITION/OFFSET   redrive goes on after this letter, where it stopped before
  --dry-run                  redrive sends nothing and says which letters would have no second effect, because the
                             ledger has their order (LEDGER_URL)
  --json                     JSON instead of text: one document (list, show, redrive --dry-run); redrive tells how far it is,
                             a document a line, the last one of the whole
  --yes                      purge asks no question

Kafka and the topics come from the same variables as for the tiers: KAFKA_BROKERS, DEAD_TOPIC, ORDERS_TOPIC, …
Exit code: 0 done; 1 not done, or not wholly; 2 the command was not understood.`;

/** A letter's place on the dead-letter topic. */
export type LetterPlace = { partition: number; offset: number };

export type DeadCommand =
  | { name: "help" }
  | { name: "list"; filter: Filter; limit: number; json: boolean }
  | { name: "show"; place: LetterPlace; json: boolean }
  | {
      name: "redrive";
      which: LetterPlace | Filter;
      limit: number;
      after?: LetterPlace;
      dryRun: boolean;
      json: boolean;
    }
  | { name: "purge"; beforeMs: number; yes: boolean };

const defaultRows = 50;

const options = {
  reason: { type: "string" },
  order: { type: "string" },
  customer: { type: "string" },
  since: { type: "string" },
  before: { type: "string" },
  limit: { type: "string" },
  after: { type: "string" },
  "dry-run": { type: "boolean" },
  json: { type: "boolean" },
  all: { type: "boolean" },
  yes: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} satisfies ParseArgsOptionsConfig;

type Option = keyof typeof options;
const filters: Option[] = ["reason", "order", "customer", "since", "before"];
const taken: Record<string, Option[]> = {
  list: [...filters, "limit", "json"],
  show: ["json"],
  redrive: [...filters, "limit", "after", "dry-run", "all", "json"],
  purge: ["before", "all", "yes"],
};

/** @throws UserError */
export function readDeadCommand(argv: string[], nowMs = Date.now()): DeadCommand {
  const { values, positionals } = readCommandLine({ args: argv, options, allowPositionals: true });
  const [name = "", ...rest] = positionals;
  if (values.help || name === "help") return { name: "help" };
  const allowed = taken[name];
  if (!allowed) throw new UserError(name ? `there is no command ${name}` : "a command is missing");
  const foreign = (Object.keys(values) as Option[]).find((option) => !allowed.includes(option));
  if (foreign) throw new UserError(`${name} does not take --${foreign}`);
  if (rest.length > (name === "show" || name === "redrive" ? 1 : 0))
    throw new UserError(`${name} does not take ${rest.at(-1)}`);

  const time = (option: "since" | "before") => timeOf(`--${option}`, values[option], nowMs);
  const filter: Filter = {
    ...(values.reason !== undefined && { reason: values.reason }),
    ...(values.order !== undefined && { orderId: values.order.toLowerCase() }),
    ...(values.customer !== undefined && { customer: values.customer }),
    ...(values.since !== undefined && { sinceMs: time("since") }),
    ...(values.before !== undefined && { beforeMs: time("before") }),
  };
  const filtered = Object.keys(filter).length > 0;
  const json = values.json ?? false;

  if (name === "list") return { name, filter, limit: limitOf(values.limit, defaultRows), json };
  if (name === "show") return { name, place: placeOf(rest[0]), json };
  if (name === "redrive") {
    const chosen = [rest.length > 0, filtered, values.all ?? false].filter(Boolean).length;
    if (chosen !== 1)
      throw new UserError("redrive takes one of: PARTITION/OFFSET, filters, or --all for every letter");
    return {
      name,
      which: rest.length > 0 ? placeOf(rest[0]) : filter,
      limit: limitOf(values.limit, Infinity),
      ...(values.after !== undefined && { after: placeOf(values.after) }),
      dryRun: values["dry-run"] ?? false,
      json,
    };
  }
  if ((values.all ?? false) === filtered) throw new UserError("purge takes one of: --before TIME, or --all");
  return { name: "purge", beforeMs: filter.beforeMs ?? Infinity, yes: values.yes ?? false };
}

function placeOf(text = ""): LetterPlace {
  const [, partition, offset] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (partition === undefined)
    throw new UserError(`a letter is named by PARTITION/OFFSET, such as 3/17${text && `, not ${text}`}`);
  return { partition: Number(partition), offset: Number(offset) };
}

function limitOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UserError(`--limit takes a number from 1, not ${text}`);
  return Number(text);
}

/** Or a day, in UTC as the letters' times are: with no zone another hour would be meant on each machine. */
const rfc3339 = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/i;
const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function timeOf(option: string, text = "", nowMs: number): number {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * (unitMs[unit] ?? 0);
  const day = text.slice(0, 10);
  // JavaScript takes 30 February for 2 March.
  const isTime = rfc3339.test(text) && new Date(day).toJSON()?.startsWith(day);
  const ms = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new UserError(
      `${option} takes a time such as 2026-01-31T09:00:00Z, or an age such as 15m; not ${text}`,
    );
  return ms;
}

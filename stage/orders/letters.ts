/**
 * Dead letters on the page. What comes back of them is cut to a size that a page can show. Nothing is sent again before its
 * plan was looked at, and what is sent is what the plan counted.
 */

import type { DeadLetter, LetterList, LetterPlan } from "../../page/answers.ts";
import type { Redrive } from "../../page/state.ts";
import { Refused } from "../refused.ts";
import { createDeadCommand } from "./dead-command.ts";

const redriveLimitMs = 600_000;
const listed = 50;
const listedReasons = 20;
/** Letters of one plan; the next one goes on after its last. */
const plannedAtOnce = 1_000;
const reasonLength = 300;
const headerLength = 1_000;
const valueLength = 16_000;
const askedLength = 300;

/** Which letters: one by its PARTITION/OFFSET, or all to which everything given applies, after one where that is given. */
export type LetterQuery = Partial<
  Record<"letter" | "reason" | "order" | "customer" | "since" | "after", string>
>;
const filters = ["reason", "order", "customer", "since"] as const;

/** What `list --json` and `show --json` print, and a line of `redrive --json`. */
interface Printed {
  count: number;
  reasons: LetterList["reasons"];
  letters: LetterList["letters"];
  key: string | null;
  headers: Record<string, string>;
  value: string | null;
  valueBase64: string | null;
}

interface Surroundings {
  /** For the command: where the brokers and the ledger are; undefined: it can't be run here. */
  env: Record<string, string> | undefined;
  note(kind: "change" | "error", text: string): void;
  changed(): void;
}

export function createLetters({ env, note, changed }: Surroundings) {
  const stopping = new AbortController();
  const dead = createDeadCommand(env, stopping.signal);
  let planned: { query: string; args: string[]; letters: number } | undefined;
  let view: Redrive | undefined;

  async function list(query: LetterQuery): Promise<LetterList> {
    const printed = await dead(["list", "--json", `--limit=${listed}`, ...argsOf(query)]);
    const { count, reasons, letters } = JSON.parse(printed) as Printed;
    const short = <T extends { reason: string }>(one: T): T => ({
      ...one,
      reason: cut(one.reason, reasonLength),
    });
    return {
      count,
      reasons: reasons.slice(0, listedReasons).map(short),
      letters: letters.toReversed().map(short),
    };
  }

  async function show(letter: string): Promise<DeadLetter> {
    const one: Printed & LetterList["letters"][number] = JSON.parse(
      await dead(["show", "--json", placeOf(letter)]),
    );
    const { valueBase64, headers, value, ...rest } = one;
    const texts = Object.entries(headers).slice(0, listed);
    return {
      ...rest,
      headers: texts.map(([name, text]) => [cut(name, headerLength), cut(text, headerLength)]),
      value: value === null ? null : cut(value, valueLength),
      bytes: valueBase64 === null ? 0 : Buffer.from(valueBase64, "base64").length,
    };
  }

  /** What a redrive would send; nothing is sent. */
  async function plan(query: LetterQuery): Promise<LetterPlan> {
    // What comes later is not meant: it has not been looked at.
    const before = `--before=${new Date().toISOString()}`;
    const args = query.letter === undefined ? [...argsOf(query), before] : [placeOf(query.letter)];
    if (query.after !== undefined) args.push(`--after=${placeOf(query.after)}`);
    args.push(`--limit=${plannedAtOnce}`);
    const { letters, stoppedAt } = JSON.parse(await dead(["redrive", "--dry-run", "--json", ...args])) as {
      letters: { place: Place; handled: boolean }[];
      stoppedAt?: Place;
    };
    planned = { query: keyOf(query), args, letters: letters.length };
    const handled = letters.filter((letter) => letter.handled).map(({ place }) => nameOf(place));
    return { letters: letters.length, handled, ...(stoppedAt && { stoppedAt: nameOf(stoppedAt) }) };
  }

  /** Sends again what was planned, and goes on by itself. @returns the command that does the same */
  function redrive(query: LetterQuery): string {
    if (view?.running) throw new Refused("letters are being sent already");
    if (planned?.query !== keyOf(query)) throw new Refused("look at the plan of these letters first");
    const { args, letters } = planned;
    planned = undefined;
    view = { running: true, letters, acknowledged: 0, repeated: 0, failed: 0, error: "" };
    note("change", `dead letters are sent again: ${letters}`);
    const take = (line: string) => {
      if (!line.startsWith("{")) return;
      const { acknowledged, repeated, failed }: Redrive = JSON.parse(line);
      view = { ...(view as Redrive), acknowledged, repeated, failed };
      changed();
    };
    dead(["redrive", "--json", ...args], redriveLimitMs, take)
      .catch(({ message }: Error) => {
        view = { ...(view as Redrive), error: cut(message, reasonLength) };
      })
      .finally(() => {
        view = { ...(view as Redrive), running: false };
        const { acknowledged, error } = view;
        note(
          error ? "error" : "change",
          error ? `letters: ${error}` : `acknowledged, of these: ${acknowledged}`,
        );
        changed();
      });
    return `bun run dead redrive ${args.map(quoted).join(" ")}`;
  }

  return { list, show, plan, redrive, view: () => view, stop: () => stopping.abort() };
}

interface Place {
  partition: number;
  offset: number;
}
const nameOf = ({ partition, offset }: Place): string => `${partition}/${offset}`;
const keyOf = (query: LetterQuery): string =>
  JSON.stringify(["letter", "after", ...filters].map((name) => query[name as keyof LetterQuery]));

/** As single words of the command, whatever is in them. @throws Refused */
function argsOf(query: LetterQuery): string[] {
  return filters.flatMap((name) => {
    const text = query[name] ?? "";
    if (text.length > askedLength || text.includes("\0"))
      throw new Refused(`${name}: at most ${askedLength} characters`);
    return text === "" ? [] : [`--${name}=${text}`];
  });
}

function placeOf(letter: string): string {
  if (!/^\d{1,9}\/\d{1,15}$/.test(letter)) throw new Refused("a letter is named by PARTITION/OFFSET");
  return letter;
}

export const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most)} …` : text;
const quoted = (word: string): string =>
  /^[\w=/.:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

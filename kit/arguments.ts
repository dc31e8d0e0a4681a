/** Command lines: what is not understood is said, with what there is to choose from, and nothing is done on a guess. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UserError } from "./user-error.ts";

/**
 * Reads a command line as `parseArgs` does, but takes nothing that is empty, as of a variable that is not set, and nothing
 * twice that counts once. @throws UserError with its words, and the usage where that is given
 */
export function readCommandLine<T extends ParseArgsConfig>(
  given: T,
  usage?: string,
): ReturnType<typeof parseArgs<T>> {
  const config: T = { ...given, args: withNegatives(given) };
  try {
    const { tokens } = parseArgs({ ...config, tokens: true });
    const seen = new Set<string>();
    for (const token of tokens ?? []) {
      if (token.kind === "option-terminator" || (token.kind === "option" && token.value === undefined))
        continue;
      if (token.value === "")
        throw new Error(`${token.kind === "option" ? token.rawName : "A word"} is empty.`);
      if (token.kind !== "option" || config.options?.[token.name]?.multiple) continue;
      if (seen.has(token.name)) throw new Error(`${token.rawName} is given twice.`);
      seen.add(token.name);
    }
    return parseArgs(config);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UserError(usage === undefined ? message : `${message}\n\n${usage}`, { cause });
  }
}

/** A number below zero is a value, not an option: what it is given to says what is wrong with it. */
function withNegatives({ args = [], options = {} }: ParseArgsConfig): string[] {
  const read: string[] = [];
  for (const arg of args) {
    const last = read.at(-1) ?? "";
    const takes = last.startsWith("--") && options[last.slice(2)]?.type === "string";
    if (takes && /^-\d/.test(arg)) read.splice(-1, 1, `${last}=${arg}`);
    else read.push(arg);
  }
  return read;
}

/**
 * Reads the command line of this process. Ends it where nothing is to be done: 0 after `--help`, which prints the usage;
 * 2, before anything was begun, with the usage and what is not understood, by `parseArgs` or by `meant` (a UserError).
 * @param mostWords how many words besides options there may be
 */
export function ownCommandLine<T extends NonNullable<ParseArgsConfig["options"]>, Meant>(
  usage: string,
  options: T,
  meant: (values: ReturnType<typeof parseArgs<{ options: T }>>["values"], words: string[]) => Meant,
  mostWords = 0,
): Meant {
  const args = Bun.argv.slice(2);
  if (args.includes("--help")) {
    console.log(usage);
    return process.exit(0);
  }
  return understood(() => {
    const { values, positionals } = readCommandLine({ args, options, allowPositionals: true });
    if (positionals.length > mostWords)
      throw new UserError(`"${positionals[mostWords]}" means nothing here.`);
    return meant(values, positionals);
  }, usage);
}

/** Ends the process with 2 and a UserError's words, and the usage where that is given, if it can't be read. */
export function understood<T>(read: () => T, usage?: string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(usage === undefined ? error.message : `${error.message}\n\n${usage}`);
    return process.exit(2);
  }
}

/** @throws UserError that says what there is. @param what e.g. «fault» */
export function knownWord<T extends string>(what: string, word: string, known: readonly T[]): T {
  const found = known.find((one) => one === word);
  if (found === undefined) throw new UserError(`"${word}" is no ${what}. There are: ${known.join(", ")}`);
  return found;
}

/** Of seconds, what a timer can still wait for. */
export const mostByDefault = 1_000_000;

/** @throws UserError that says what is expected */
export function wholeNumber(option: string, text: string, least: number, most = mostByDefault): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UserError(`${option} ${text}: a whole number from ${least} to ${most}.`);
  return value;
}

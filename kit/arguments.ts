/** Command lines: what is not understood is said, with what there is to choose from, and nothing is done on a guess. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UserError } from "./user-error.ts";

/** Reads a command line as `parseArgs` does. @throws UserError with its words, and the usage where that is given */
export function readCommandLine<T extends ParseArgsConfig>(
  config: T,
  usage?: string,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UserError(usage === undefined ? message : `${message}\n\n${usage}`, { cause });
  }
}

/** @throws UserError that says what there is. @param what e.g. «fault» */
export function knownWord<T extends string>(what: string, word: string, known: readonly T[]): T {
  const found = known.find((one) => one === word);
  if (found === undefined) throw new UserError(`"${word}" is no ${what}. There are: ${known.join(", ")}`);
  return found;
}

/** @throws UserError that says what is expected */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least)
    throw new UserError(`${option} ${text}: a whole number from ${least} on.`);
  return value;
}

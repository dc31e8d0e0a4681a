/**
 * Questions to a system that may not answer: a ledger, which has no bounds of its own, has one here, whatever it waits for, and
 * leaves nothing behind that would keep the process.
 */
import type { SQL } from "bun";
import { UserError } from "../../kit/user-error.ts";

/** For the longest: of every order of a long run, on a busy machine. */
const ledgerLimitMs = 300_000;

/** What was read; what can't be leaves a run without a verdict. @throws UserError */
export async function readable<T>(what: string, reading: PromiseLike<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw new UserError(`${what} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** The same of the ledger. */
export async function ofLedger<T>(reading: PromiseLike<T>, limitMs = ledgerLimitMs): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1_000} s`)), limitMs);
  try {
    return await readable("the ledger", Promise.race([reading, late]));
  } finally {
    clearTimeout(limit);
  }
}

/** Hands a ledger out, and closes it at once afterwards: to close it as usual waits for what has no answer. */
export async function withLedger<T>(ledger: SQL, act: (ledger: SQL) => Promise<T>): Promise<T> {
  try {
    return await act(ledger);
  } finally {
    await ledger.close({ timeout: 0 });
  }
}

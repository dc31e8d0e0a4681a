/**
 * The rate that fits: how much the system and this machine hold together, found out by as many clients as keep it busy,
 * and the share of it that a run takes unless it is told a rate.
 */
import { cpus } from "node:os";
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { UserError } from "../../kit/user-error.ts";
import { startLoad } from "./run.ts";

const probe = { rate: 3_000, users: 128, durationSeconds: 10 };
/** So much any machine holds that holds the topology at all. */
const sureRatePerProcessor = 100;

type At = { url: string; access?: EdgeAccess | undefined; stop: AbortSignal };

/** Orders per second that are accepted where 128 clients each send the next order when they have an answer. */
async function heldRate({ url, access, stop }: At): Promise<number> {
  const { answers } = await startLoad({ url, access, profile: "steady", ...probe, stop }).done;
  stop.throwIfAborted();
  const accepted = answers.filter(({ fate }) => fate === "accepted");
  if (accepted.length === 0) throw new UserError(`${url}: none of ${answers.length} orders was accepted`);
  return accepted.length / probe.durationSeconds;
}

/**
 * The rate of a run. A rate that is given counts, and where it may be too much it is said now, not found out by failures.
 * @param share of what is held, where no rate is given
 * @param say told in a line how the rate came about
 * @throws UserError when no order is accepted at all
 */
export async function fittingRate(
  { given, share, ...at }: { given: number | undefined; share: number } & At,
  say: (line: string) => void,
): Promise<number> {
  if (given !== undefined && given <= sureRatePerProcessor * cpus().length) return given;
  say(`What this machine holds is found out, for ${probe.durationSeconds} s ...`);
  const held = Math.round(await heldRate(at));
  const rate = given ?? Math.max(1, Math.floor(held * share));
  const much = rate > held ? ": that is more than it holds, and will not all be accepted" : "";
  say(`It held ${held} orders/s; ${rate}/s are sent${given === undefined ? " (--rate for another)" : much}.`);
  return rate;
}

/**
 * The rate that fits: how much the system and this machine hold together, found out by as many clients as keep it busy,
 * and the share of it that a run takes unless it is told a rate.
 */
import { cpus } from "node:os";
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { UserError } from "../../kit/user-error.ts";
import type { ClientAnswer } from "../client/answers.ts";
import { usualBatchEvery } from "../client/mix.ts";
import { startLoadRun } from "./run.ts";

/** Each client sends its next order when it has an answer: what is too much is not sent, and nothing piles up. */
const probe = { firstRate: 3_000, clients: 128, seconds: 10, doublings: 3 };
/** Where more than this share of a rate is accepted, the system may hold more. */
const heldShare = 0.9;
/** So much any machine holds that holds the topology at all. */
const sureRatePerProcessor = 100;

/** What a probe sends: one of so many requests is a batch; and who is told what became of it. */
type Probe = {
  url: string;
  access?: EdgeAccess | undefined;
  stop: AbortSignal;
  batchEvery?: number;
  told?: (answers: ClientAnswer[]) => void;
};

/** Orders per second that are accepted where 128 clients are busy. @throws UserError when none is accepted */
export async function heldRate({
  url,
  access,
  stop,
  told,
  batchEvery = usualBatchEvery,
}: Probe): Promise<number> {
  for (let rate = probe.firstRate, doublings = 0; ; rate *= 2, doublings += 1) {
    const { seconds: durationSeconds, clients: users } = probe;
    const options = {
      url,
      access,
      profile: "steady",
      rate,
      users,
      durationSeconds,
      batchEvery,
      stop,
    } as const;
    const { answers } = await startLoadRun(options).done;
    told?.(answers);
    stop.throwIfAborted();
    const accepted = answers.filter(({ fate }) => fate === "accepted").length;
    if (accepted === 0) throw new UserError(`${url}: none of ${answers.length} orders was accepted`);
    const perS = accepted / durationSeconds;
    if (perS < heldShare * rate || doublings === probe.doublings) return perS;
  }
}

/**
 * The rate of a run. A rate that is given counts, and where it may be too much it is said now, not found out by failures.
 * @param share of what is held, where no rate is given
 * @param say told in a line how the rate came about
 * @throws UserError when no order is accepted at all
 */
export async function fittingRate(
  { given, share, ...at }: { given: number | undefined; share: number } & Probe,
  say: (line: string) => void,
): Promise<number> {
  if (given !== undefined && given <= sureRatePerProcessor * cpus().length) return given;
  say(`What this machine holds is found out, ${probe.seconds} s at a time ...`);
  const held = Math.round(await heldRate(at));
  const rate = given ?? Math.max(1, Math.floor(held * share));
  const much = rate > held ? ": that is more than it holds, and will not all be accepted" : "";
  say(`It held ${held} orders/s; ${rate}/s are sent${given === undefined ? " (--rate for another)" : much}.`);
  return rate;
}

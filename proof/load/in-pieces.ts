/**
 * The part of a load whose bodies come in chunks or slowly, beside k6 and at its times: an open loop too, so that a
 * system that is slow is not sent less.
 */

import type { EdgeAccess } from "../../infra/secure/access.ts";
import { comesTrue } from "../../kit/until.ts";
import type { ClientAnswer } from "../client/answers.ts";
import { place } from "../client/client.ts";
import { inPiecesOf } from "../client/mix.ts";
import { inPiecesDue, type RateStep } from "./profiles.ts";

const tickMs = 50;
/** What is due beyond this is dropped, as k6 drops what it has no user for. */
const mostOpen = 250;

export type InPieces = { answers: ClientAnswer[]; dropped: number };

/**
 * Sends from now on until the last step is over, and resolves when every order has its final answer.
 * @param url of the balancer
 * @param stop ends it at once: what is under way is unknown then
 */
export async function sendInPieces(
  url: string,
  run: string,
  steps: readonly RateStep[],
  { stop, retries, access }: { stop: AbortSignal; retries: number; access?: EdgeAccess | undefined },
): Promise<InPieces> {
  const startMs = performance.now();
  const lastMs = 1_000 * steps.reduce((sum, { seconds }) => sum + seconds, 0);
  const open = new Set<Promise<unknown>>();
  const answers: ClientAnswer[] = [];
  let dropped = 0;
  let sent = 0;
  const send = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    open.add(promise);
    void place(url, inPiecesOf(run, sent), stop, { retries, access }).then((told) => {
      answers.push(...told);
      open.delete(promise);
      resolve();
    });
    sent += 1;
  };
  let elapsedMs = 0;
  const isOver = () => stop.aborted || elapsedMs > lastMs;
  await comesTrue(
    () => {
      elapsedMs = performance.now() - startMs;
      // One at once, so that no load is without any.
      for (const due = inPiecesDue(steps, elapsedMs / 1_000); sent + dropped <= due && !isOver(); )
        if (open.size < mostOpen) send();
        else dropped += 1;
      return isOver();
    },
    Number.POSITIVE_INFINITY,
    tickMs,
  );
  await Promise.all(open);
  return { answers, dropped };
}

/**
 * What must hold of the effects of one process: it repeats none that it knows is done, begins none for who is to take over,
 * tells none that is done to stop, and begins no more than probes while all fail.
 */
import type { ConsumerConfig } from "../../../src/config.ts";
import { Reject } from "../../../src/handling/handler.ts";
import type { PlacedOrder } from "../../../src/wire/validation.ts";
import type { Process } from "../clock.ts";
import type { Stored } from "../kafka/log.ts";
import type { Held } from "./held.ts";
import { createOutageWatch } from "./outages.ts";

/** As long ago as this, a row was there for whoever asked before the effect. */
const knownAfterMs = 1_000;
/** It has met a demand by then: a poll and its waiting lie between, the longest after one that failed. */
const metAfterMs = 1_700;

export function createEffectRules(
  process: Process,
  { given, demandedAtMs }: Held,
  parts: {
    nowMs: () => number;
    ledger: { rows: ReadonlyMap<string, { atMs: number }> };
    settings: Pick<ConsumerConfig, "HANDLER_TIMEOUT_MS">;
    broken: (what: string) => void;
  },
) {
  const { nowMs, ledger, settings, broken } = parts;
  const { name } = process;
  /** Those that it has done since it let something go last, or was to: their rows may be left to whoever is next. */
  const done = new Set<string>();
  const outages = createOutageWatch(nowMs);
  let letGoAtMs = Number.NEGATIVE_INFINITY;
  const wasFrozen = (sinceMs: number) => process.frozenUntilMs >= sinceMs;

  /** Whether all partitions that an order came from are to be given up, and the process must have heard of it. */
  function isLeaving(id: string): boolean {
    const metMs = nowMs() - metAfterMs;
    // Who is to end gives up what it has when it has met what was demanded before.
    const toEndMs = demandedAtMs.size > 0 ? Infinity : Math.max(process.toEndMs ?? Infinity, letGoAtMs);
    const leaves = ({ partition }: Stored) =>
      Math.min(demandedAtMs.get(partition) ?? Infinity, toEndMs) < metMs;
    const records = [...given.keys()].filter(({ order }) => order?.id === id);
    return records.length > 0 && records.every(leaves) && !wasFrozen(metMs);
  }

  return {
    /** A handler with an effect elsewhere is called. @returns what is to be told its end */
    begins(order: PlacedOrder, signal: AbortSignal) {
      const { id } = order;
      const sinceMs = nowMs();
      const attempts = outages.begins(id);
      if (attempts) broken(`${name} begins ${attempts} attempts while all fail`);
      if (done.has(id)) broken(`${name} does the effect of ${id} again`);
      const row = ledger.rows.get(id);
      if (row && row.atMs < sinceMs - knownAfterMs && !wasFrozen(sinceMs - knownAfterMs))
        broken(`${name} does the effect of ${id}, which the ledger has`);
      if (isLeaving(id)) broken(`${name} begins the effect of ${id} for a partition that it is to give up`);
      let isDone = false;
      signal.addEventListener("abort", () => {
        if (isDone && signal.reason?.name === "TimeoutError")
          broken(`${name} tells ${id} to stop when its effect is done`);
      });
      return {
        done(): void {
          isDone = nowMs() < sinceMs + settings.HANDLER_TIMEOUT_MS;
          if (isDone && !wasFrozen(sinceMs) && demandedAtMs.size === 0) done.add(id);
          outages.handled();
        },
        failed(error: unknown): void {
          if (!(error instanceof Reject)) outages.failed(order);
        },
      };
    },
    /** It has let something go: whoever has it now may do again what was done of it. */
    forget: (): void => done.clear(),
    letGo(): void {
      done.clear();
      letGoAtMs = nowMs();
    },
  };
}

// Carries a schedule out on the real system: strikes, holds, heals, waits until the system is whole. Whatever was
// struck is healed, also when the run is told to stop or fails halfway.
import type { Container } from "../../infra/topology.ts";
import { comesTrue } from "../../kit/until.ts";
import { type FaultName, faults } from "../faults/registry.ts";
import type { ClientAnswer, Cut } from "../history/history.ts";
import { seeded } from "../plan/random.ts";
import { scenarios } from "../plan/scenarios.ts";
import type { Round, Schedule, Step } from "../plan/schedule.ts";
import type { RunEvent } from "../report/events.ts";
import type { System } from "../system/system.ts";
import { findTargets } from "../system/targets.ts";
import { NotWhole, settle } from "./settle.ts";

const wholeLimitMs = 120_000;

export interface Conduct {
  /** Told of everything as it happens. */
  tell(event: RunEvent): void;
  stop: AbortSignal;
  /** Orders per second that are sent meanwhile. */
  ratePerS?: number;
  /** Takes what clients of the faults' own were told. */
  told?(answers: readonly ClientAnswer[]): void;
  /** Takes what faults destroyed for good. */
  cut?(cut: Cut): void;
}

type Say = (kind: RunEvent["kind"], text: string, of?: Pick<RunEvent, "fault" | "round">) => void;

/** A fault as it was injected. */
type Struck = { label: string; fault: FaultName; victims: Container[] };

/**
 * Resolves after the last round; or after the first whose fault left the system not whole in time, because what the
 * next one did could not be told from it: with what was missing then, nothing where all was whole.
 */
export async function conduct(
  system: System,
  schedule: Schedule,
  { tell, stop, ratePerS = 0, told = () => undefined, cut = () => undefined }: Conduct,
): Promise<string[]> {
  const times = new Map<string, number>();
  const say: Say = (kind, text, of = {}) => tell({ atMs: Date.now(), kind, text, ...of });

  say("phase", "steady: load, no fault");
  await wait(schedule.steadyMs, stop);
  for (const [index, round] of schedule.rounds.entries()) {
    say("phase", `fault ${index + 1} of ${schedule.rounds.length}`);
    try {
      await strikeAndHeal(round, index);
    } catch (error) {
      if (!(error instanceof NotWhole)) throw error;
      say("note", error.message);
      return [error.message];
    }
    const healedMs = Date.now();
    const left = await settle(system, wholeLimitMs, stop);
    const names = round.steps.map(({ scenario }) => scenario).join(" and ");
    if (left.length > 0) {
      say("note", `not whole after ${wholeLimitMs / 1_000} s: ${left.join("; ")}`);
      return [`${wholeLimitMs / 1_000} s after ${names}: ${left.join("; ")}`];
    }
    say("note", `whole again ${((Date.now() - healedMs) / 1_000).toFixed(1)} s after the heal`);
    await wait(round.restMs, stop);
  }
  return [];

  async function strikeAndHeal({ steps, holdMs }: Round, round: number): Promise<void> {
    const struck: Struck[] = [];
    try {
      for (const step of steps) {
        const label = labelOf(step);
        const { fault, victims, from } = await victimsOf(system, step);
        struck.push({ label, fault, victims });
        const names = victims.map(({ name }) => name).join(", ");
        const apart = from ? `, from ${from.map(({ name }) => name).join(", ")}` : "";
        say("fault", `${fault}: ${names || "nobody"}${apart}`, { fault: label, round });
        const remark = await faults[fault].inject(system, victims, {
          ...{ stop, ratePerS, told, cut },
          ...(from && { from }),
        });
        if (remark) say("note", remark);
      }
      await wait(holdMs, stop);
    } finally {
      await heal(system, struck, say);
    }
  }

  /** The scenario's name, with a number from its second time on. */
  function labelOf({ scenario }: Step): string {
    const time = (times.get(scenario) ?? 0) + 1;
    times.set(scenario, time);
    return time === 1 ? scenario : `${scenario}-${time}`;
  }
}

/** Heals all of it. @throws AggregateError of what could not be */
async function heal(system: System, struck: readonly Struck[], say: Say): Promise<void> {
  const failures: unknown[] = [];
  for (const { label, fault, victims } of struck)
    try {
      // What was injected has changed their state.
      await faults[fault].heal(system, await system.again(victims));
      say("heal", `${label} is healed`, { fault: label });
    } catch (error) {
      failures.push(error);
    }
  if (failures.length > 0) throw new AggregateError(failures, `not healed: ${failures.join("; ")}`);
}

/** Who is struck, as the step's own seed chooses. */
async function victimsOf(system: System, { scenario, seed }: Step) {
  const random = seeded(seed);
  const { fault, targets, from } = scenarios[scenario];
  const victims: Container[] = [];
  for (const target of targets) victims.push(...(await findTargets(system, target, random)));
  return { fault, victims, from: from && (await findTargets(system, from, random)) };
}

/** @throws the reason of `stop`, as soon as that is set off */
async function wait(forMs: number, stop: AbortSignal): Promise<void> {
  await comesTrue(() => stop.aborted, forMs, 100);
  stop.throwIfAborted();
}

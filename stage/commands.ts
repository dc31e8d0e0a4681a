/**
 * All that may be asked for from a page, a closed set, each done by the part whose it is. Whatever was begun is known here,
 * so that it can be ended when nobody looks any more.
 */

import type { StageState, TimelineEvent } from "../page/state.ts";
import { type Action, createActions } from "./faults/actions.ts";
import { bounded, loadOf } from "./load/asked.ts";
import { mostBurst, startLoadByHand } from "./load/by-hand.ts";
import { createProfiles } from "./load/profiles.ts";
import { createLetters, type LetterQuery } from "./orders/letters.ts";
import { createOneOrder } from "./orders/one-order.ts";
import type { Answer } from "./reconciler.ts";
import { Refused } from "./refused.ts";
import type { Source } from "./sources/source.ts";

export type Command =
  | Action
  | { do: "load"; ratePerS?: number; paused?: boolean; mix?: string }
  | { do: "burst"; orders: number }
  | { do: "profile"; name: string }
  | { do: "stop-profile" }
  | { do: "place"; order: string }
  | ({ do: "redrive" } & LetterQuery);

interface Surroundings {
  readOnly: boolean;
  state(): StageState;
  /** Takes what a client was told. */
  take(answer: Answer): void;
  note(kind: TimelineEvent["kind"], text: string): void;
  changed(): void;
}

export function createCommands(source: Source, { readOnly, state, take, note, changed }: Surroundings) {
  const { url, access } = source;
  const load = startLoadByHand(source, take);
  const profiles = createProfiles({ url, access, hear: load.hear, changed });
  const oneOrder = createOneOrder(source, take, state);
  const actions = createActions({ source, instances: () => state().instances, note });
  const letters = createLetters({ env: source.operator, note, changed });

  return {
    /** Does what a page wants. @returns the command that does the same, or of a placed order its id; @throws Refused */
    async act(command: Command): Promise<string | undefined> {
      if (readOnly) throw new Refused("this stage is for showing: nothing can be done");
      try {
        if (command.do === "load") return void load.set(loadOf(command));
        if (command.do === "burst") return void load.burst(bounded(command.orders, 1, mostBurst));
        if (command.do === "profile") return profiles.start(command.name);
        if (command.do === "stop-profile") return void (await profiles.stop());
        if (command.do === "place") return await oneOrder.place(command.order);
        if (command.do === "redrive") return letters.redrive(command);
        return await actions.act(command);
      } catch (error) {
        if (!(error instanceof Refused)) note("error", (error as Error).message);
        throw error;
      } finally {
        changed();
      }
    },
    actions,
    letters,
    oneOrder,
    /** What can be done, and what is. */
    view() {
      const { faults, withheld, rolling, scalable } = source;
      const { p99Ms, ...others } = load.view();
      return {
        readOnly,
        faults: Object.fromEntries(Object.entries(faults).map(([tier, names]) => [tier, [...names]])),
        withheld: { ...withheld },
        rolling: [...rolling],
        scalable: [...scalable],
        load: { ...others, p99Ms: p99Ms === undefined ? undefined : Math.round(p99Ms * 10) / 10 },
        profile: profiles.view(),
        bands: actions.bands(),
        redrive: letters.view(),
      };
    },
    /** Nothing is sent by hand, and nothing is left to be healed. */
    areDone: (): boolean => load.view().paused && !actions.isAnything(),
    /** Ends the load, and heals what was struck. */
    async leave(): Promise<void> {
      load.set({ paused: true });
      await profiles.stop();
      if (!actions.isAnything()) return;
      note("heal", "nobody has looked for a while: what was struck is healed");
      await actions.healStruck().catch((error) => note("error", error.message));
    },
    /** Gives up on what is under way. */
    async stop(): Promise<void> {
      actions.stop();
      letters.stop();
      await Promise.all([load.stop(), profiles.stop()]);
    },
  };
}

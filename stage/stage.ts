/**
 * The stage without its door: looks at the system every second, keeps the one state that all pages show, and tells them of
 * each change as a merge patch. Heals what it struck when nobody has looked for a minute.
 */

import type { StageState } from "../page/state.ts";
import { changesOf, createTimeline } from "./changes.ts";
import { createCommands } from "./commands.ts";
import { createPages, type Page } from "./pages.ts";
import { createRate } from "./readings.ts";
import { type Answer, createReconciler } from "./reconciler.ts";
import type { Source } from "./sources/source.ts";
import { createView } from "./view.ts";

const lookEveryMs = 1_000;
const soonMs = 100;
const checkWaitMs = 300;

export interface StageOptions {
  readOnly?: boolean;
  /** Without anybody who looks for so long, what was struck is healed. */
  aloneMs?: number;
  /** How often it looks where nobody does, nothing flows, and nothing is left to be settled or healed. */
  seldomMs?: number;
  /** For the reconciler: how long after its answer an order may still be written. */
  quietMs?: number;
}

export type Stage = ReturnType<typeof openStage>;

/** Starts at once, with its load paused. */
export function openStage(source: Source, options: StageOptions = {}) {
  const { readOnly = false, aloneMs = 60_000, seldomMs = 5_000, quietMs } = options;
  const reconciler = createReconciler(source.evidence, quietMs === undefined ? {} : { quietMs });
  const take = (answer: Answer): void => reconciler.take(answer);
  const sight = createSight(source, reconciler);
  const { note, all: events } = createTimeline();
  const pages = createPages(() => state());
  const changed = () => pages.publish();
  const commands = createCommands(source, { readOnly, state: () => state(), take, note, changed });
  const { act, actions, letters, oneOrder } = commands;

  function state(): StageState {
    const { instances, edges, ...seen } = sight.view();
    const done = commands.view();
    return {
      ...seen,
      ...done,
      kind: source.kind,
      atMs: Date.now(),
      instances: withStruck(instances, actions.struck),
      edges: { placed: { ratePerS: sight.acceptedPerS(), p99Ms: done.load.p99Ms }, ...edges },
      verdict: reconciler.verdict(),
      events: events(),
    };
  }

  /** As it was at the end of the last look. */
  let before = state();

  async function lookOnce(): Promise<void> {
    await sight.look();
    actions.observe();
    await sight.check();
    const now = state();
    const changes = changesOf(before, now);
    for (const [kind, text] of changes) note(kind, text);
    pages.past.keep(now, changes.length > 0);
    before = now;
    pages.publish({ ...now, events: events() });
  }

  function everyMs(): number {
    const { sent, settled } = reconciler.verdict();
    const isQuiet = !pages.areOpen() && sent === settled && commands.areDone();
    return isQuiet ? seldomMs : lookEveryMs;
  }

  const looking = keepLooking(async () => {
    await lookOnce().catch((error) => note("error", error.message));
    actions.forget(pages.sample());
    if (pages.aloneMs() >= aloneMs) await commands.leave();
  }, everyMs);
  source.onChange(looking.again);

  return {
    state,
    /** Shows all of it to a page, then each change. @returns what ends that */
    attach(page: Page): () => void {
      const detach = pages.attach(page);
      // What it is shown may be of seconds ago.
      looking.again();
      return detach;
    },
    /** Takes what another client of the same system was told. */
    take,
    /** How the topology was at a time, as JSON; undefined: nobody knows. */
    past: pages.past.at,
    export: pages.export,
    /** The way of one order. */
    oneOrder,
    letters,
    act,
    /** Heals what it struck and what still is: for who ends it in the middle of a fault. */
    healStruck: actions.healStruck,
    async close(): Promise<void> {
      await Promise.all([looking.stop(), commands.stop()]);
      await source.close();
    },
  };
}

const withStruck = (instances: StageState["instances"], struck: (name: string) => string[]) =>
  Object.fromEntries(
    Object.entries(instances).map(([name, one]) => [name, { ...one, struck: struck(name) }]),
  );

/** What was seen of the system last, and how many of its orders are accepted. */
function createSight(source: Source, { check, verdict }: ReturnType<typeof createReconciler>) {
  const viewOf = createView();
  let view = viewOf({ seen: [], log: undefined });
  const acceptedRate = createRate();
  let acceptedPerS = 0;
  let checking: Promise<void> | undefined;
  return {
    view: () => view,
    acceptedPerS: () => acceptedPerS,
    async look(): Promise<void> {
      view = viewOf(await source.look());
    },
    /** Asks the ledger. One that does not answer keeps nobody from seeing the rest. */
    async check(): Promise<void> {
      checking ??= check().finally(() => {
        checking = undefined;
      });
      await Promise.race([checking, Bun.sleep(checkWaitMs)]);
      acceptedPerS = Math.round(acceptedRate(verdict().accepted));
    },
  };
}

/** One look at a time, and the next one soon when something came or went meanwhile. */
function keepLooking(look: () => Promise<void>, everyMs: () => number) {
  let [stopped, changed] = [false, false];
  let wake = () => {};
  const looking = (async () => {
    while (!stopped) {
      const nextMs = performance.now() + everyMs();
      changed = false;
      await look();
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      if (changed) await Bun.sleep(soonMs);
      else await Promise.race([woken, Bun.sleep(Math.max(soonMs, nextMs - performance.now()))]);
    }
  })();
  return {
    again(): void {
      changed = true;
      wake();
    },
    stop(): Promise<void> {
      stopped = true;
      wake();
      return looking;
    },
  };
}

/**
 * The stage without its door: looks at the system every second, keeps the one state that all pages show, and tells them of
 * each change as a merge patch. Heals what it struck when nobody has looked for a minute.
 */

import { changesOf } from "./changes.ts";
import { exportOf } from "./export.ts";
import { type Action, createActions } from "./faults/actions.ts";
import { bounded, loadOf } from "./load/asked.ts";
import { type LoadByHand, mostBurst, startLoadByHand } from "./load/by-hand.ts";
import { createProfiles } from "./load/profiles.ts";
import { createLetters, cut, type LetterQuery } from "./orders/letters.ts";
import { createOneOrder } from "./orders/one-order.ts";
import { createPast } from "./past.ts";
import { patchOf } from "./patch.ts";
import { createRate } from "./readings.ts";
import { type Answer, createReconciler } from "./reconciler.ts";
import { Refused } from "./refused.ts";
import type { Source } from "./sources/source.ts";
import type { Sample, StageState, TimelineEvent } from "./state.ts";
import { createView } from "./view.ts";

const lookEveryMs = 1_000;
const soonMs = 100;
const checkWaitMs = 300;
const keptMs = 900_000;
const keptEvents = 100;
const eventLength = 500;

export type Command =
  | Action
  | { do: "load"; ratePerS?: number; paused?: boolean; mix?: string }
  | { do: "burst"; orders: number }
  | { do: "profile"; name: string }
  | { do: "stop-profile" }
  | { do: "place"; order: string }
  | ({ do: "redrive" } & LetterQuery);

export interface StageOptions {
  readOnly?: boolean;
  /** Without anybody who looks for so long, what was struck is healed. */
  aloneMs?: number;
  /** How often it looks where nobody does, nothing flows, and nothing is left to be settled or healed. */
  seldomMs?: number;
  /** For the reconciler: how long after its answer an order may still be written. */
  quietMs?: number;
}

/** What a page is sent: the name of a server-sent event and its data. */
export type Message = { event: "snapshot" | "patch" | "history" | "sample"; data: unknown };
export type Page = (message: Message) => void;

export type Stage = ReturnType<typeof openStage>;

/** Starts at once, with its load paused. */
export function openStage(source: Source, options: StageOptions = {}) {
  const { readOnly = false, aloneMs = 60_000, seldomMs = 5_000, quietMs } = options;
  const reconciler = createReconciler(source.evidence, quietMs === undefined ? {} : { quietMs });
  const load: LoadByHand = startLoadByHand(source, (answer) => reconciler.take(answer));
  const { url, access } = source;
  const profiles = createProfiles({ url, access, hear: load.hear, changed: () => publish() });
  const oneOrder = createOneOrder(
    source,
    (answer) => reconciler.take(answer),
    () => state(),
  );
  const viewOf = createView();
  const acceptedRate = createRate();
  let acceptedPerS = 0;
  let checking: Promise<void> | undefined;
  const pages = new Set<Page>();
  const samples: Sample[] = [];
  const past = createPast(keptMs);
  const events = new Map<string, TimelineEvent>();
  let nextEvent = 1;
  let viewed = viewOf({ seen: [], log: undefined });
  let sent: StageState | undefined;
  let lastSeenMs = performance.now();
  let closed = false;

  function note(kind: TimelineEvent["kind"], text: string): void {
    events.set(String(nextEvent++), { atMs: Date.now(), kind, text: cut(text, eventLength) });
    if (events.size > keptEvents) events.delete(events.keys().next().value as string);
  }
  const actions = createActions({ source, instances: () => state().instances, note });
  const letters = createLetters({ env: source.operator, note, changed: () => publish() });

  function state(): StageState {
    const loadView = load.view();
    const { instances } = viewed;
    return {
      ...viewed,
      kind: source.kind,
      readOnly,
      atMs: Date.now(),
      instances: Object.fromEntries(
        Object.entries(instances).map(([name, one]) => [name, { ...one, struck: actions.struck(name) }]),
      ),
      edges: {
        placed: { ratePerS: acceptedPerS, p99Ms: round(loadView.p99Ms) },
        ...viewed.edges,
      },
      load: { ...loadView, p99Ms: round(loadView.p99Ms) },
      profile: profiles.view(),
      verdict: reconciler.verdict(),
      events: Object.fromEntries(events),
      bands: actions.bands(),
      redrive: letters.view(),
      faults: Object.fromEntries(Object.entries(source.faults).map(([tier, names]) => [tier, [...names]])),
      withheld: { ...source.withheld },
      rolling: [...source.rolling],
      scalable: [...source.scalable],
    };
  }

  /** As it was at the end of the last look. */
  let before = state();

  function tell(message: Message): void {
    for (const page of pages) page(message);
  }
  /** Sends what has changed since the last time. */
  function publish(now = state()): void {
    const patch = patchOf(sent, now);
    sent = now;
    if (patch !== undefined) tell({ event: "patch", data: patch });
  }

  async function lookOnce(): Promise<void> {
    viewed = viewOf(await source.look());
    actions.observe();
    // A ledger that does not answer keeps nobody from seeing the rest.
    checking ??= reconciler.check().finally(() => {
      checking = undefined;
    });
    await Promise.race([checking, Bun.sleep(checkWaitMs)]);
    acceptedPerS = Math.round(acceptedRate(reconciler.verdict().accepted));
    const now = state();
    const changes = changesOf(before, now);
    for (const [kind, text] of changes) note(kind, text);
    past.keep(now, changes.length > 0);
    before = now;
    publish({ ...now, events: Object.fromEntries(events) });
  }

  function sampleNow(): void {
    const { edges, verdict, load: byHand } = sent ?? state();
    const sample: Sample = [
      Date.now(),
      edges.placed.ratePerS,
      edges.handled.ratePerS,
      verdict.waiting,
      byHand.p99Ms ?? -1,
    ];
    // The plots go by time, also where the clock was set back.
    while ((samples.at(-1)?.[0] ?? 0) > sample[0]) samples.pop();
    samples.push(sample);
    while ((samples[0]?.[0] ?? 0) < sample[0] - keptMs) samples.shift();
    actions.forget(samples[0]?.[0] ?? 0);
    tell({ event: "sample", data: sample });
  }

  function isQuiet(): boolean {
    const { sent: all, settled } = reconciler.verdict();
    return pages.size === 0 && all === settled && load.view().paused && !actions.isAnything();
  }

  async function healWhenAlone(): Promise<void> {
    if (pages.size > 0) lastSeenMs = performance.now();
    if (performance.now() - lastSeenMs < aloneMs) return;
    load.set({ paused: true });
    await profiles.stop();
    if (!actions.isAnything()) return;
    note("heal", "nobody has looked for a while: what was struck is healed");
    await actions.healStruck().catch((error) => note("error", error.message));
  }

  // One look at a time, and the next one soon when something came or went meanwhile.
  let changed = false;
  let wake = () => {};
  function lookAgain(): void {
    changed = true;
    wake();
  }
  source.onChange(lookAgain);
  const watching = (async () => {
    while (!closed) {
      const nextMs = performance.now() + (isQuiet() ? seldomMs : lookEveryMs);
      changed = false;
      await lookOnce().catch((error) => note("error", error.message));
      sampleNow();
      await healWhenAlone();
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      if (changed) await Bun.sleep(soonMs);
      else await Promise.race([woken, Bun.sleep(Math.max(soonMs, nextMs - performance.now()))]);
    }
  })();

  return {
    state,
    /** Shows all of it to a page, then each change. @returns what ends that */
    attach(page: Page): () => void {
      sent ??= state();
      page({ event: "history", data: samples });
      page({ event: "snapshot", data: sent });
      pages.add(page);
      // What it is shown may be of seconds ago.
      lookAgain();
      return () => void pages.delete(page);
    },
    /** Takes what another client of the same system was told. */
    take: (answer: Answer): void => reconciler.take(answer),
    /** How the topology was at a time, as JSON; undefined: nobody knows. */
    past: past.at,
    /** All of it as a file of its own: an HTML page. */
    export: (): Promise<string> => exportOf(state(), samples),
    /** The way of one order. */
    oneOrder,
    letters,
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
        publish();
      }
    },
    /** Heals what it struck and what still is: for who ends it in the middle of a fault. */
    healStruck: actions.healStruck,
    async close(): Promise<void> {
      closed = true;
      wake();
      actions.stop();
      letters.stop();
      await Promise.all([load.stop(), profiles.stop(), watching]);
      await source.close();
    },
  };
}

const round = (value: number | undefined) => (value === undefined ? undefined : Math.round(value * 10) / 10);

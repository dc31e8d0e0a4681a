/**
 * What the page knows: the stage's state as it was streamed, or as a file has it, and the little that is the page's own. Each
 * part is a signal, so that only what has changed is drawn anew.
 */
import { computed, effect, signal } from "@preact/signals";
import type { Past, Recording } from "../recording.ts";
import type { Sample, StageState } from "../state.ts";
import { patched } from "./patch.ts";

const keptMs = 900_000;
/** A stage tells of each second, and looks at what does not answer for a few; one that is silent for longer stands still. */
const silentMs = 15_000;

/** What is shown where the page is a file: nothing can be asked or done there. */
export const recorded = signal<Recording | undefined>(undefined);
export const state = signal<StageState | undefined>(undefined);
export const samples = signal<readonly Sample[]>([]);
/** Whether the stream flows: what is shown is of before, where it does not. */
export const live = signal(false);
/** The instance or tier that is looked at, or nothing. */
export const chosen = signal<string | undefined>(undefined);
/** With the guard on, no action may take a tier's majority away. */
export const guarded = signal(true);
/** Until when plots and timeline are shown, where that is not now. */
export const backToMs = signal<number | undefined>(undefined);
/** What came of the last action: the command that does the same, or why it was not done. */
export const outcome = signal<{ text: string; failed: boolean } | undefined>(undefined);

/** The topology as it was where one is scrolled back to. */
export const past = signal<Past | undefined>(undefined);
/** The state, with the topology as it is to be shown: now, or as it was then. */
export const shown = computed(() => state.value && { ...state.value, ...past.value });

/** A part of the state, which tells of a change only where it differs. */
export const part = <T>(pick: (state: StageState) => T, of: typeof shown = state) =>
  computed(() => (of.value === undefined ? undefined : pick(of.value)));

effect(() => {
  const wantedMs = backToMs.value;
  const file = recorded.value;
  if (wantedMs === undefined) past.value = undefined;
  else if (file) past.value = file.past.findLast(({ atMs }) => atMs <= wantedMs) ?? file.past[0];
  else
    void ask<Past>(`/past?at=${wantedMs}`).then((found) => {
      // It may have been scrolled on meanwhile.
      if (backToMs.peek() === wantedMs) past.value = found ?? undefined;
    });
});

/** Shows what a file has. */
export function show(recording: Recording): void {
  recorded.value = recording;
  state.value = { ...recording.state, readOnly: true };
  samples.value = recording.samples;
  live.value = true;
}

/** Listens to the stage for good; the browser itself comes back after a break. */
export function connect(): void {
  const source = new EventSource("/events");
  let heardMs = performance.now();
  const on = (event: string, take: (data: unknown) => void) =>
    source.addEventListener(event, ({ data }: MessageEvent<string>) => {
      heardMs = performance.now();
      take(JSON.parse(data));
    });
  const listening = setInterval(() => {
    if (performance.now() > heardMs + silentMs) live.value = false;
  }, 1_000);
  on("history", (data) => {
    samples.value = data as Sample[];
  });
  on("snapshot", (data) => {
    state.value = data as StageState;
    live.value = true;
  });
  on("patch", (data) => {
    state.value = patched(state.value as StageState, data);
  });
  on("sample", (data) => {
    const newest = data as Sample;
    live.value = true;
    samples.value = [
      ...samples.value.filter(([atMs]) => atMs >= newest[0] - keptMs && atMs <= newest[0]),
      newest,
    ];
  });
  source.addEventListener("error", () => {
    live.value = false;
    // Closed for good, by a stage that began anew: the browser does not come back by itself then.
    if (source.readyState !== EventSource.CLOSED) return;
    clearInterval(listening);
    setTimeout(connect, 1_000);
  });
}

interface Answer {
  error?: string;
  command?: string | null;
  id?: string;
}

async function post(command: Record<string, unknown>): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  try {
    const answer = await fetch("/actions", { method: "POST", headers, body: JSON.stringify(command) });
    return (await answer.json()) as Answer;
  } catch {
    // A browser drops its connections when a container's network comes or goes.
    return { error: "The connection broke: the timeline tells whether it was done." };
  }
}

/** Has the stage do something, and tells what came of it. */
export async function act(command: Record<string, unknown>): Promise<boolean> {
  const { error, command: same } = await post(command);
  if (error) outcome.value = { text: error, failed: true };
  else if (same) outcome.value = { text: same, failed: false };
  return error === undefined;
}

/** Something of the stage's own, by GET; undefined where it does not answer. */
export async function ask<T>(path: string): Promise<(T & { error?: string }) | undefined> {
  try {
    return await (await fetch(path)).json();
  } catch {
    return undefined;
  }
}

/** Places an order as it is. @returns its id, or why it could not be placed */
export const placeOrder = (order: string): Promise<Answer> => post({ do: "place", order });

/** Strikes an instance, with the guard as it is set. */
export const strike = (fault: string, target: string, from?: string): Promise<boolean> =>
  act({ do: "strike", fault, target, ...(from && { from }), ...(!guarded.value && { unguarded: true }) });

/**
 * What the page shows, as one JSON document: docs/stage.md describes it for whoever builds on it. A stream begins with
 * the whole of it; after that come merge patches (RFC 7396), so null removes a member and an array is replaced whole:
 * what is not known is absent, and what changes often is kept in objects by name.
 */

export type TierName = "balancer" | "producer" | "broker" | "zookeeper" | "consumer" | "ledger";

export type InstanceState = "up" | "unready" | "draining" | "paused" | "down";

export interface Instance {
  tier: TierName;
  state: InstanceState;
  /** Why it is not up, in words; "" where there is nothing to say. */
  why: string;
  /** What this page did to it and has not healed: names of faults. */
  struck: string[];
  /** Orders per second that it takes, appends or handles; absent: not known. */
  ratePerS?: number | undefined;
  /** 99th percentile of its own work on an order, ms; absent: not known. */
  p99Ms?: number | undefined;
  /** Its role among its like: "leader", "follower", "controller"; "" where it has none. */
  role: string;
}

export interface Partition {
  /** Broker; -1: none at the moment. */
  leader: number;
  /** Of its leader: goes up by one with each change. */
  epoch: number;
  replicas: number[];
  inSync: number[];
  /** Name of the consumer that owns it; absent: nobody. */
  owner?: string | undefined;
  /** Orders in it that are not finished, and the age of the oldest in hand, s. */
  lag: number;
  oldestS: number;
  /** Orders appended, and taken on by its consumer, per second. */
  ratePerS: number;
  polledPerS: number;
}

/** What flows from one tier to the next. */
export interface Edge {
  ratePerS: number;
  /** 99th percentile of the step, over the last seconds, ms; absent: nothing flowed. */
  p99Ms?: number | undefined;
}

/** Client to balancer, balancer to producers, and so on to the ledger. */
export type EdgeName = "placed" | "balanced" | "appended" | "polled" | "handled";

export interface Verdict {
  /** "good": all accounted for; "waiting": some take longer; "broken": the promise is; "blind": it can't be known. */
  status: "idle" | "good" | "waiting" | "broken" | "blind";
  /** Why it can't be known, or "". */
  why: string;
  sent: number;
  accepted: number;
  refused: number;
  unknown: number;
  handled: number;
  waiting: number;
  /** Age of the oldest accepted order that is neither handled nor a dead letter, s. */
  oldestS: number;
  redelivered: number;
  dead: number;
  lost: number;
  doubled: number;
  phantom: number;
  mistaken: number;
  /** Orders whose fate is proven for good and no longer held in memory. */
  settled: number;
}

/** The verdict's status as a sentence. */
export const verdictTitles: Record<Verdict["status"], string> = {
  idle: "No order accepted yet",
  good: "Nothing is lost",
  waiting: "Nothing lost so far; orders wait",
  broken: "The promise is broken",
  blind: "It can't be known now",
};

/** What each figure of the verdict means. */
export const figureWords = {
  sent: "Orders with a final answer",
  accepted: "Answered 202",
  refused: "Certainly not accepted",
  unknown: "The client can't tell: either is right",
  handled: "Accepted, with a row and its effect in the ledger",
  waiting: "Accepted and not handled yet, and the age of the oldest",
  "delivered again": "Deliveries beyond the first: no fault",
  "dead letters": "Given up and kept, with the reason",
  lost: "Accepted, and neither handled nor a dead letter",
  doubled: "Orders whose effect was applied twice",
  phantom: "Refused, and handled all the same",
  mistaken: "Accepted under another id or none, denied when sent again, or handled with another content",
};

export const mixes = ["single", "batch", "slow", "keyed"] as const;
export type Mix = (typeof mixes)[number];

export interface Load {
  /** Orders per second that are wanted; nothing is sent while paused. */
  ratePerS: number;
  paused: boolean;
  /** Whose orders: single ones, batches, slow bodies, or each sent again under its key. */
  mix: Mix;
  /** Orders per second answered, over the last seconds, and the 99th percentile of an answer, ms. */
  answeredPerS: number;
  p99Ms?: number | undefined;
  /** Requests under way. */
  open: number;
}

export const profileNames = ["steady", "burst", "mix"] as const;
export type ProfileName = (typeof profileNames)[number];

/** A load by k6 that runs, or that ran last. */
export interface ProfileView {
  name: ProfileName;
  running: boolean;
  /** It was ended before its time. */
  stopped: boolean;
  startedMs: number;
  durationS: number;
  answered: number;
  accepted: number;
  /** Its thresholds that were crossed. */
  crossed: string[];
  /** Why it could not run, or "". */
  error: string;
}

export interface TimelineEvent {
  atMs: number;
  kind: "strike" | "heal" | "change" | "verdict" | "error";
  text: string;
}

/** From when to when something was struck: a band on every plot. */
export interface Band {
  fault: string;
  target: string;
  fromMs: number;
  /** Absent: it still is. */
  toMs?: number | undefined;
}

export interface StageState {
  /** "containers" (make up), "secured" (make up SECURE=1), "embedded" (make demo) or "replay" (a recorded feed). */
  kind: "containers" | "secured" | "embedded" | "replay";
  readOnly: boolean;
  /** Of the last reading, ms since the epoch. */
  atMs: number;
  instances: Record<string, Instance>;
  partitions: Record<string, Partition>;
  edges: Record<EdgeName, Edge>;
  /** -1: none. */
  controller: number;
  group: { state: string; members: number };
  load: Load;
  /** Absent: none so far. */
  profile?: ProfileView | undefined;
  verdict: Verdict;
  /** The newest 100, by number. */
  events: Record<string, TimelineEvent>;
  bands: Record<string, Band>;
  /** Absent: none so far. */
  redrive?: Redrive | undefined;
  /** Faults that can be injected here, by tier; and why others, which could be elsewhere, can't. */
  faults: Record<string, string[]>;
  withheld: Record<string, string>;
  /** Tiers that can be restarted one by one, and those that can be scaled. */
  rolling: string[];
  scalable: string[];
}

/** Dead letters that are sent again, or were last. */
export interface Redrive {
  running: boolean;
  /** As the plan counted them. */
  letters: number;
  acknowledged: number;
  /** The same record as another letter's: sent once. */
  repeated: number;
  failed: number;
  /** Why it ended early, or ""; repeating it is harmless. */
  error: string;
}

/**
 * One second of the plots: time, accepted/s, handled/s, waiting, p99 of an answer (ms, -1: none). A proof's has more: orders
 * whose first try failed, and the median.
 */
export type Sample = [
  atMs: number,
  accepted: number,
  handled: number,
  waiting: number,
  p99Ms: number,
  firstTryFailed?: number,
  medianMs?: number,
];

/** What a stage needs of the system that it shows, whatever that runs on. */

import type { EdgeAccess } from "../../infra/secure/access.ts";
import type { Container } from "../../infra/topology.ts";
import type { StageState, TierName } from "../../page/state.ts";
import type { System } from "../../proof/system/system.ts";
import type { FaultName } from "../faults/faults.ts";
import type { Reading } from "../readings.ts";
import type { Evidence } from "./evidence.ts";
import type { LogView } from "./kafka.ts";

/** One instance as its host sees it, and what it said of itself; no reading: it does not answer. */
export interface Seen {
  name: string;
  tier: TierName;
  /** Of its process or container. */
  host: "running" | "paused" | "down";
  /** How it ended, or why it is not ready; "" where there is nothing to say. */
  why: string;
  reading?: Reading | undefined;
  role?: string | undefined;
}

export interface Look {
  seen: Seen[];
  /** undefined: no broker answers. */
  log: LogView | undefined;
}

export interface Source {
  kind: StageState["kind"];
  /** Of the balancer. */
  url: string;
  /** What that asks for, where it does (SECURE=1). */
  access: EdgeAccess | undefined;
  /** Looks at all of it, at most once a second. */
  look(): Promise<Look>;
  evidence: Evidence;
  /** What the faults are done to. */
  system: System;
  /** Every instance as the faults know it, by its name here. */
  containers(): Promise<Map<string, Container>>;
  faults: Record<TierName, readonly FaultName[]>;
  /** Why some that there could be are missing among those. */
  withheld: Partial<Record<FaultName, string>>;
  /** The tiers that can be restarted one by one, and those that can be scaled. */
  rolling: readonly TierName[];
  scalable: readonly TierName[];
  scale(tier: TierName, count: number): Promise<void>;
  /** The command that does the same by hand. */
  command(what: FaultName | "heal" | "scale", tier: TierName, name: string, more?: string): string;
  /** The environment in which the operator's commands find brokers and ledger; undefined: they can't. */
  operator: Record<string, string> | undefined;
  /** Calls back when an instance came or went, so that nobody waits for the next look. */
  onChange(hear: () => void): void;
  close(): Promise<void>;
}

/**
 * Gathers a run's history from where it lies: the topic and the dead letters from the brokers, the rows and effects
 * from the ledger, past the tiers, whose word is on trial. Only orders of the client's record are kept.
 */
import type { Topology } from "../infra/topology.ts";
import type { ClientAnswer, CommittedOffset, History } from "./history.ts";

/** Watches what the group has committed, from now on; a broker that does not answer costs samples, nothing else. */
export type CommitSampler = {
  /** So far, in the order of their time: one entry for each change. */
  readonly commits: readonly CommittedOffset[];
  stop(): Promise<void>;
};

/** Starts at once. */
export declare function sampleCommits(
  topology: Topology,
  options?: { everyMs?: number },
): Promise<CommitSampler>;

/** @throws Error when the brokers or the ledger can't be read in full */
export declare function collect(
  topology: Topology,
  client: readonly ClientAnswer[],
  commits?: readonly CommittedOffset[],
): Promise<History>;

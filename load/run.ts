/** Puts load on the balancer with k6, and brings back what its client was told, order by order. */
import type { ClientAnswer } from "./answers.ts";

/** How the rate goes over time; see load/profiles.js. */
export const profiles = ["smoke", "steady", "ramp", "spike", "soak"] as const;
export type Profile = (typeof profiles)[number];

export type LoadOptions = {
  /** Of the balancer: http://127.0.0.1:8080 */
  url: string;
  profile: Profile;
  /** Orders per second; for a profile that varies, its highest. */
  rate: number;
  durationSeconds: number;
  /** Where the client's record is kept; a temporary file by default. */
  recordPath?: string;
  /** Ends the load early, as `stop()` does. */
  stop?: AbortSignal;
};

export type LoadResult = {
  answers: ClientAnswer[];
  /** Orders that k6 should have sent and did not, for want of users. */
  dropped: number;
  /** Thresholds that were crossed; none: all is well. */
  crossed: string[];
};

export type Load = {
  /** Resolves when every order has its final answer. @throws Error when k6 could not run */
  done: Promise<LoadResult>;
  /** Sends nothing new; resolves when every order sent has its final answer. */
  stop(): Promise<void>;
};

/** Starts at once. */
export declare function startLoad(options: LoadOptions): Load;

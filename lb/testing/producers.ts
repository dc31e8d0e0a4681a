/** Real producers as they stand behind the balancer: each on a port of its own, to which it returns. */

import { fixedPort } from "../../testing/balancer.ts";
import { startTier, type TierProcess } from "../../testing/tier-process.ts";

export type Producers = {
  readonly ports: number[];
  /** The one with this number, from 1, as it runs now. */
  number(n: number): TierProcess;
  /** Starts the one with this number again, after its end. */
  restart(n: number): void;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Starts three and waits until they are ready. @param env a cluster's, and what else they need */
export async function startProducers(env: Record<string, string>): Promise<Producers> {
  const ports = [fixedPort(), fixedPort(), fixedPort()];
  const start = (at: number) =>
    startTier("producer", { ...env, HTTP_PORT: String(ports[at]), INSTANCE: `producer${at + 1}` });
  const running = ports.map((_, at) => start(at));
  const end = () => Promise.all(running.map((producer) => producer[Symbol.asyncDispose]()));
  try {
    await Promise.all(running.map((producer) => producer.ready()));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    ports,
    number(n) {
      const producer = running[n - 1];
      if (!producer) throw new Error(`there is no producer ${n}`);
      return producer;
    },
    restart(n) {
      running[n - 1] = start(n - 1);
    },
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
}

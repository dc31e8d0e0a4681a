/**
 * The containers of a benchmark's brokers. Nothing here needs Kafka's client, so that whoever starts before that is
 * built can remove them.
 */
import { join } from "node:path";
import { must } from "../../kit/capture.ts";
import { checkout } from "../../kit/checkout.ts";

const downLimitMs = 60_000;

/** `docker compose` on the benchmark's own project. */
export const composeWith =
  (env: Record<string, string>) =>
  (args: string[], limitMs: number, stop?: AbortSignal): Promise<string> =>
    must(
      [
        ...["docker", "compose", "-p", `coffee-orders-bench-${checkout}`],
        ...["-f", join(import.meta.dir, "compose.yaml"), ...args],
      ],
      { limitMs, env, ...(stop && { stop }) },
    );

/** Removes the brokers and their data, whoever started them. */
export async function removeBrokers(): Promise<void> {
  await composeWith({})(["down", "--volumes", "--timeout", "0"], downLimitMs);
}

/**
 * Load for one measurement, by wrk, because it shares two cores with what it measures: compiled code, one thread for all
 * connections, requests made beforehand. A closed loop: each connection sends its next request when it has the answer
 * to the last one, and has waited, where it is to.
 */
import { join } from "node:path";
import { must } from "../../kit/capture.ts";

const answerLimitS = 30;

export type WrkOptions = {
  port: number;
  path: "/orders" | "/orders/batch";
  /** Orders in each request. */
  orders: number;
  connections: number;
  seconds: number;
  /** What each connection waits between an answer and its next request: nothing, unless it is given. */
  pauseMs?: number;
  stop: AbortSignal;
};

/** What the client saw. Latencies are those of requests. */
export type LoadFigures = {
  requests: number;
  seconds: number;
  /** Answered with an error: 400 and above. */
  errors: number;
  /** Not answered. */
  failed: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
};

/** Runs it to its end. @throws UserError when wrk can't run */
export async function load({
  port,
  path,
  orders,
  connections,
  seconds,
  pauseMs = 0,
  stop,
}: WrkOptions): Promise<LoadFigures> {
  const url = `http://127.0.0.1:${port}`;
  const bounds = ["--threads", "1", "--connections", String(connections), "--timeout", `${answerLimitS}s`];
  const script = ["--duration", `${seconds}s`, "--script", join(import.meta.dir, "orders.lua"), url, "--"];
  const what = [path, String(orders), String(pauseMs)];
  const output = await must(["wrk", ...bounds, ...script, ...what], {
    limitMs: (seconds + 2 * answerLimitS) * 1_000,
    stop,
  });
  return JSON.parse(output.split("\n").at(-1) ?? "");
}

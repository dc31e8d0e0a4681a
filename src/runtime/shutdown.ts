/**
 * One way to end a process: the first SIGTERM or SIGINT drains it, exit 0. A second signal, a drain that fails or outlasts its
 * limit, or a broken invariant ends it at once, exit 1: clients retry or Kafka redelivers. A log that can't be written never.
 */
import { ConfigError } from "../config.ts";
import type { Logger } from "./log.ts";

/** Within it two signals are one: a Ctrl-C comes twice, from the terminal and from `bun run`, which hands it on. */
const echoMs = 200;

/** Installs the handlers. `isStray`: an error, or a rejection, that nobody waited for breaks no invariant, and is only told. */
export function onShutdown(options: {
  log: Logger;
  timeoutMs: number;
  drain: () => Promise<void>;
  isStray?: (rejected: boolean) => boolean;
}): void {
  const { log, timeoutMs, drain, isStray } = options;
  let begunMs = Number.NEGATIVE_INFINITY;
  function end(level: "info" | "error" | "fatal", why: string, fields: object = {}): never {
    log[level](fields, why);
    return process.removeAllListeners("exit").exit(level === "info" ? 0 : 1);
  }
  const crash = (rejected: boolean) => (err: unknown) => {
    if (!isStray?.(rejected)) end("fatal", "unexpected error: ending at once", { err });
    try {
      log.error({ err }, "a handler left behind what failed, and did not wait for it");
    } catch {
      log.error("a handler left behind what failed, and can't even be told");
    }
  };
  function begin(signal: NodeJS.Signals): void {
    if (performance.now() - begunMs < echoMs) return;
    if (begunMs > 0) end("error", "second signal: ending at once, without a drain", { signal });
    begunMs = performance.now();
    log.info({ signal, timeoutMs }, "draining");
    setTimeout(end, timeoutMs, "error", "the drain outlasted its limit: ending without it", { timeoutMs });
    drain().then(
      () => end("info", "drained"),
      (err) => end("error", "the drain failed: ending without it", { err }),
    );
  }
  process.on("exit", (code) => end("fatal", "process.exit is not for handlers: no drain", { code }));
  process.on("SIGTERM", begin).on("SIGINT", begin);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  process.on("uncaughtException", crash(false)).on("unhandledRejection", crash(true));
}

/** A step of the start that depends on the configuration: its faults in one message, exit 1. @param whose if every error is one */
export function startWith<Result>(step: () => Result, whose = ""): Result {
  try {
    return step();
  } catch (error) {
    if (!(whose || error instanceof ConfigError)) throw error;
    process.stderr.write(`${whose}${(error as Error).message}\n`);
    return process.removeAllListeners("exit").exit(1);
  }
}

/**
 * Puts load on the balancer, with k6 and beside it with what k6 can't send, and brings back what the clients were told,
 * order by order. k6 runs in a process group of its own and never outlives the load. Loads that run at once share
 * nothing: each has its own run id in every key, its own files, and no port that another could want.
 */
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { type Ending, run, tied } from "../../kit/child.ts";
import { thisMachine, which, withTools } from "../../kit/machine.ts";
import { comesTrue } from "../../kit/until.ts";
import { type ClientAnswer, lineOf, readAnswers, requestsIn, withInterrupted } from "../client/answers.ts";
import { signedBy } from "../client/client.ts";
import { usualBatchEvery } from "../client/mix.ts";
import { maxRetries, orderLimitMs } from "../client/policy.ts";
import { watchClock } from "./clock.ts";
import { withoutK6 } from "./environment.ts";
import { follow } from "./follow.ts";
import { sendInPieces } from "./in-pieces.ts";
import { k6Options, mostUsers, type Profile, stepsOf } from "./profiles.ts";
import type { LoadOutcome } from "./thresholds.ts";

export type { Profile };

export type LoadOptions = {
  /** Of the balancer: http://127.0.0.1:8080 */
  url: string;
  /** What that asks for, where it does. */
  access?: EdgeAccess | undefined;
  profile: Profile;
  /** Orders per second, all together; for a profile that varies, its highest. */
  rate: number;
  durationSeconds: number;
  /** Connections that k6 may have at once, where fewer than usual. */
  users?: number;
  /** One of so many requests of k6's is a batch, where more than usual are. */
  batchEvery?: number;
  /** Clients that wait for an answer no longer than this, and never try again; good clients by default. */
  onlyTryMs?: number;
  /** Has k6 ask for the keys that it shows again and again, since they change meanwhile. */
  keysChange?: boolean;
  /** Where the client's record is kept when it is whole; nowhere by default. */
  recordPath?: string;
  /** Told of each order's final answer, once, soon after it came. */
  told?: (answers: readonly ClientAnswer[]) => void;
  /** Ends the load early, as `stop()` does. */
  stop?: AbortSignal;
  /** Lets k6 show on our own output how it goes. */
  visible?: boolean;
};

export type LoadResult = Omit<LoadOutcome, "answered"> & {
  answers: ClientAnswer[];
  /** By how much the machine's clock was set meanwhile: all times of the record are its. */
  clockMovedMs: number;
};

export type LoadRun = {
  /** Resolves when every order has its final answer. @throws Error when k6 could not run */
  done: Promise<LoadResult>;
  /** Ends the load now: orders under way are unknown to the client. Resolves when k6 has ended. */
  stop(): Promise<void>;
};

/** k6's own: thresholds were crossed, which the outcome tells. */
const thresholdsCrossed = 99;
const unsummed: LoadOutcome = { answered: 0, dropped: 0, crossed: [] };
/** To start, to wait for the last answers, and to sum up. */
const besidesSeconds = 120;
/** Until the first answer that k6 gets. */
const beginLimitMs = 10_000;

/** Starts at once. */
export function startLoadRun(options: LoadOptions): LoadRun {
  const stopping = new AbortController();
  const stop = options.stop ? AbortSignal.any([stopping.signal, options.stop]) : stopping.signal;
  const done = runLoad(options, stop);
  return {
    done,
    async stop() {
      stopping.abort(new Error("the load was stopped"));
      await done;
    },
  };
}

async function runLoad(options: LoadOptions, stop: AbortSignal): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-load-"));
  const files = {
    record: join(folder, "answers"),
    config: join(folder, "config.json"),
    summary: join(folder, "summary.json"),
    log: join(folder, "log"),
  };
  const runId = crypto.randomUUID();
  using clock = watchClock();
  const hidden = options.visible ? undefined : openSync(join(folder, "output"), "w");
  try {
    const { url, profile, rate, durationSeconds, users = mostUsers } = options;
    const { access, onlyTryMs, batchEvery = usualBatchEvery } = options;
    using keys = options.keysChange && access ? serveKeys(access) : undefined;
    const retries = onlyTryMs === undefined ? maxRetries : 0;
    const config = k6Options(profile, rate, durationSeconds, { users, batchEvery });
    await Bun.write(files.config, JSON.stringify(config));
    await Bun.write(files.record, "");
    const { told } = options;
    const followed = told && follow(files.record, (some) => told(some.map(signedBy(access))));
    const variables = {
      ...{ URL: url, RUN: runId, SUMMARY: files.summary },
      ...{ RETRIES: `${retries}`, LIMIT_MS: `${onlyTryMs ?? orderLimitMs}`, BATCH_EVERY: `${batchEvery}` },
    };
    const failed = new AbortController();
    const k6 = exitCodeOf(
      run(k6Command(variables, files), {
        limitMs: (durationSeconds + besidesSeconds) * 1_000,
        stop,
        // Collecting garbage less often saves k6 a tenth of its CPU, which here is the system's as well.
        env: { GOGC: "400", ...withoutK6(withTools(thisMachine())), ...k6Access(access, keys?.url) },
        output: hidden ?? "inherit",
      }),
      stop,
    ).then(async (exitCode) => {
      if (exitCode === 0 || exitCode === thresholdsCrossed) return;
      const log = await Bun.file(files.log)
        .text()
        .catch(() => "");
      throw new Error(`k6 ended with ${exitCode}\n${log}`);
    });
    k6.catch((error) => failed.abort(error));
    const ending = AbortSignal.any([stop, failed.signal]);
    // The same hour for both, however long k6 takes to begin.
    await comesTrue(() => ending.aborted || statSync(files.record).size > 0, beginLimitMs);
    const steps = stepsOf(profile, rate, durationSeconds);
    const inPieces = await sendInPieces(url, runId, steps, { stop: ending, retries, access });
    await k6;
    const heard = readAnswers(await Bun.file(files.record).text());
    const summary = await summaryOf(files.summary, stop);
    const recorded = requestsIn(heard, runId);
    if (recorded < summary.answered)
      throw new Error(`the client's record is not whole: it has ${recorded} of ${summary.answered} requests`);
    const ofK6 = withInterrupted(heard, runId, Date.now(), batchEvery).map(signedBy(access));
    const answers = [...ofK6, ...inPieces.answers];
    await followed?.end(answers);
    if (options.recordPath !== undefined)
      await Bun.write(options.recordPath, answers.map((answer) => `${lineOf(answer)}\n`).join(""));
    const { dropped, crossed } = stop.aborted ? unsummed : summary;
    // k6 knows of its own alone.
    const also =
      inPieces.dropped > 0 && config.thresholds.dropped_iterations ? ["dropped in pieces: count==0"] : [];
    return {
      ...{ answers, clockMovedMs: clock.movedMs() },
      ...{ dropped: dropped + inPieces.dropped, crossed: [...crossed, ...also] },
    };
  } finally {
    if (hidden !== undefined) closeSync(hidden);
    rmSync(folder, { recursive: true });
  }
}

/** Who is ended early sums up what there was, or had no time for it. */
async function summaryOf(path: string, stop: AbortSignal): Promise<LoadOutcome> {
  try {
    return await Bun.file(path).json();
  } catch (cause) {
    if (stop.aborted) return unsummed;
    throw new Error(`k6 left no summary: ${(cause as Error).message}`, { cause });
  }
}

/** Not on its command line, which everybody on the machine can read. SSL_CERT_FILE is Go's own (crypto/x509). */
const k6Access = (access?: EdgeAccess, keysUrl?: string): Record<string, string> => ({
  ...(access && { SSL_CERT_FILE: access.caPath, TOKENS: tokensOf(access) }),
  ...(keysUrl && { TOKENS_URL: keysUrl }),
});
const tokensOf = ({ keys }: EdgeAccess) => keys.map(({ token }) => token).join(",");

/** Tells k6 the keys as they are now. Nobody else knows the path. */
function serveKeys(access: EdgeAccess) {
  const path = `/${crypto.randomUUID()}`;
  const server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, idleTimeout: 0 },
    fetch: ({ url }) =>
      url.endsWith(path) ? new Response(tokensOf(access)) : new Response("", { status: 404 }),
  });
  return {
    url: `http://127.0.0.1:${server.port}${path}`,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

function k6Command(
  variables: Record<string, string>,
  { record, config, log }: { record: string; config: string; log: string },
): string[] {
  // Its errors only: it would warn of each answer that did not come.
  const logging = ["--log-format=raw", `--log-output=file=${log},level=error`, "--console-output", record];
  const flags = ["--no-usage-report", "--address=", "--config", config, ...logging];
  const named = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const ending = which(thisMachine(), "setpriv") ? tied : [];
  return [...ending, "k6", "run", ...flags, join(import.meta.dir, "orders.ts"), ...named];
}

/** How k6 ended; well, if it was ended by us. */
async function exitCodeOf(ending: Promise<Ending>, stop: AbortSignal): Promise<number> {
  try {
    return (await ending).exitCode;
  } catch (error) {
    if (!stop.aborted) throw error;
    return 0;
  }
}

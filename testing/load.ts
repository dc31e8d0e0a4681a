/**
 * Orders at a steady rate, whatever the answers, over connections that are kept; and the client's own record of what
 * it was told. It never tries again: what one request was answered is the whole truth about it.
 */
import { sampleOrder } from "../src/sample.ts";
import { connectHttp, type HttpAnswer, type HttpConnection } from "./http-connection.ts";

/** What one request was told; no status: nothing, and why. */
export type Told = {
  status: number | undefined;
  failure: string | undefined;
  /** The order's id, if it was accepted. */
  id: string | undefined;
  /** What a problem document says: its type and the order's fate. */
  problem: string | undefined;
  fate: string | undefined;
  /** When it was sent, on the clock of performance.now(). */
  sinceMs: number;
  latencyMs: number;
};

export type Load = {
  /** One entry for each request that has ended. */
  readonly record: readonly Told[];
  /** Sends nothing new, waits for the answers that are due, and gives the whole record. */
  stop(): Promise<readonly Told[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

const tickMs = 5;
const customers = 50;
/** As good clients do: a request on a connection that the server is just closing as idle would get no answer. */
const idleMs = 5_000;

/** Starts at once. The requests carry no Idempotency-Key: whoever is asked has to see to that. */
export function startLoad(port: number, ratePerS: number): Load {
  const idle: { connection: HttpConnection; sinceMs: number }[] = [];
  const open = new Set<Promise<void>>();
  const record: Told[] = [];
  const startMs = performance.now();
  let sent = 0;

  const timer = setInterval(() => {
    for (; sent < ((performance.now() - startMs) / 1_000) * ratePerS; sent += 1) {
      const done: Promise<void> = place(sent).finally(() => open.delete(done));
      open.add(done);
    }
  }, tickMs);

  async function place(n: number): Promise<void> {
    const sinceMs = performance.now();
    const answer = await post(n);
    record.push({ ...told(answer), sinceMs, latencyMs: performance.now() - sinceMs });
  }

  async function post(n: number): Promise<HttpAnswer | string> {
    let connection: HttpConnection | undefined;
    try {
      connection = takeIdle() ?? (await connectHttp(port));
      const order = sampleOrder(n, `c${n % customers}`);
      const answer = await connection.request("POST", "/orders", jsonBody, JSON.stringify(order));
      if (answer.headers.get("connection") !== "close") idle.push({ connection, sinceMs: performance.now() });
      return answer;
    } catch (error) {
      // No answer is an answer that counts: as unknown.
      connection?.close();
      return String(error);
    }
  }

  /** The one that was used last; those that were idle for too long are closed. */
  function takeIdle(): HttpConnection | undefined {
    const oldestMs = performance.now() - idleMs;
    while (idle[0] && idle[0].sinceMs < oldestMs) idle.shift()?.connection.close();
    let last = idle.pop();
    while (last && !last.connection.isOpen) last = idle.pop();
    return last?.connection;
  }

  async function stop(): Promise<readonly Told[]> {
    clearInterval(timer);
    await Promise.all(open);
    for (const { connection } of idle.splice(0)) connection.close();
    return record;
  }

  return {
    record,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** The header that every order needs. */
export const jsonBody = { "content-type": "application/json" };

function told(answer: HttpAnswer | string): Omit<Told, "sinceMs" | "latencyMs"> {
  if (typeof answer === "string")
    return { status: undefined, failure: answer, id: undefined, problem: undefined, fate: undefined };
  const { status } = answer;
  const { id, type, fate } = JSON.parse(answer.body) as { id?: string; type?: string; fate?: string };
  return { status, failure: undefined, id: status === 202 ? id : undefined, problem: type, fate };
}

/**
 * A good client of the balancer in this process: for the demo, and for what k6 can't send, which is bodies in chunks and bodies
 * that take their time. It tries again as policy.ts says and tells what it was told in the end; no answer is an answer too.
 */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { comesTrue } from "../../kit/until.ts";
import type { ClientAnswer } from "./answers.ts";
import { type MixedRequest, repeatAfterMs, turnOf } from "./mix.ts";
import { maxRetries, orderLimitMs, waitBeforeRetryMs } from "./policy.ts";
import { createTold, type Heard } from "./told.ts";

const pieces = 5;
/** From a slow body's first piece to its last; a request may take 10 s to arrive (lb/haproxy.cfg). */
const slowMs = { least: 1_000, most: 4_000 };

/** One try; it ends within the limit, and when it is told to stop. */
export type Try = (
  url: string,
  request: MixedRequest,
  limitMs: number,
  stop: AbortSignal,
) => Promise<Heard & { retryAfter: string | null | undefined }>;

type How = { retries?: number; access?: EdgeAccess | undefined; post?: Try; repeatMs?: number };

/**
 * Places a request's orders, with every retry.
 * @param url of the balancer
 * @param stop ends it at once: what has no answer then is unknown
 * @param how.access what the edge asks for, where it does
 * @param how.repeatMs after which an accepted order that is to be sent once more is
 */
export async function place(
  url: string,
  request: MixedRequest,
  stop: AbortSignal,
  { retries = maxRetries, access, post = inPiecesAs(access), repeatMs = repeatAfterMs }: How = {},
): Promise<ClientAnswer[]> {
  const told = createTold(request);
  const beganMs = Date.now();
  const deadlineMs = beganMs + orderLimitMs;
  for (let tries = 1; ; tries += 1) {
    const answer = await post(url, request, deadlineMs - Date.now(), stop);
    if (stop.aborted) break;
    told.hear(answer);
    const waitMs = waitBeforeRetryMs(tries, answer.retryAfter);
    if (!told.again() || tries > retries || Date.now() + waitMs >= deadlineMs) break;
    await comesTrue(() => stop.aborted, waitMs);
  }
  if (stop.aborted) told.interrupt(beganMs, Date.now());
  else if (request.repeated && told.accepted() && !(await comesTrue(() => stop.aborted, repeatMs)))
    told.hear(await post(url, request, orderLimitMs, stop));
  return told.answers().map(signedBy(access));
}

/** Asks, once. @returns the status; undefined: there was no answer */
export async function statusOf(url: string, options: BunFetchRequestInit): Promise<number | undefined> {
  const answer = await fetch(url, options).catch(() => undefined);
  await answer?.text().catch(() => undefined);
  return answer?.status;
}

/** As whom an order or a request with this key is sent. */
export const principalOf = (access: EdgeAccess | undefined, key: string): string | undefined =>
  access && turnOf(key, access.keys)?.principal;

/** What shows that. */
export const bearerOf = (access: EdgeAccess | undefined, key: string) =>
  access && { authorization: `Bearer ${turnOf(key, access.keys)?.token}` };

/** Notes of an answer as whom its order was sent. */
export const signedBy =
  (access: EdgeAccess | undefined) =>
  (answer: ClientAnswer): ClientAnswer => {
    const principal = principalOf(access, answer.key);
    return principal === undefined ? answer : { ...answer, principal };
  };

/** A try in one go, over connections that are kept. */
export const postWholeAs =
  (access?: EdgeAccess): Try =>
  (...of) =>
    postWhole(access, ...of);

async function postWhole(
  access: EdgeAccess | undefined,
  ...[url, { path, key, body }, limitMs, stop]: Parameters<Try>
) {
  const startedMs = Date.now();
  const signal = AbortSignal.any([stop, AbortSignal.timeout(Math.max(1, limitMs))]);
  const headers = { "content-type": "application/json", "idempotency-key": key, ...bearerOf(access, key) };
  const tls = access && { tls: { ca: access.ca } };
  const [answer, text] = await fetch(url + path, { method: "POST", headers, body, signal, ...tls })
    .then(async (response): Promise<[Response, string]> => [response, await response.text()])
    .catch(() => [undefined, null] as const);
  const retryAfter = answer?.headers.get("retry-after");
  return { status: answer?.status ?? 0, text, retryAfter, startedMs, endedMs: Date.now() };
}

/** On a connection of its own, in pieces where it is to come so. */
const inPiecesAs =
  (access: EdgeAccess | undefined): Try =>
  (...of) =>
    postInPieces(access, ...of);

async function postInPieces(
  access: EdgeAccess | undefined,
  ...[url, { path, key, body, sent }, limitMs, stop]: Parameters<Try>
) {
  const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<Try>>>();
  let sentMs: number | undefined;
  const hear = (status: number, text: string | null, retryAfter?: string) => {
    const endedMs = Date.now();
    resolve({ status, text, retryAfter, startedMs: sentMs ?? endedMs, endedMs });
  };
  const length = sent.endsWith("-chunked") ? {} : { "content-length": body.length };
  const own = { "idempotency-key": key, ...bearerOf(access, key) };
  const headers = { "content-type": "application/json", ...length, ...own };
  const request = access ? httpsRequest : httpRequest;
  const client = request(url + path, {
    method: "POST",
    headers,
    agent: false,
    ...(access && { ca: access.ca }),
  });
  client.on("response", (answer) => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (part: string) => {
      text += part;
    });
    answer.on("end", () => hear(answer.statusCode ?? 0, text, answer.headers["retry-after"]));
    for (const event of ["error", "aborted"]) answer.on(event, () => hear(0, null));
  });
  for (const event of ["error", "close"]) client.on(event, () => hear(0, null));
  const giveUp = () => hear(0, null);
  const limit = setTimeout(giveUp, Math.max(0, limitMs));
  stop.addEventListener("abort", giveUp);
  let isOver = false;
  const over = promise.finally(() => {
    isOver = true;
  });
  try {
    const pauseMs = sent.endsWith("-slow")
      ? (slowMs.least + Math.random() * (slowMs.most - slowMs.least)) / (pieces - 1)
      : 0;
    for (const [nth, piece] of piecesOf(body, sent).entries()) {
      if (nth > 0 && pauseMs > 0) await Promise.race([over, Bun.sleep(pauseMs)]);
      if (isOver) break;
      client.write(piece);
    }
    sentMs = Date.now();
    client.end();
    return await over;
  } finally {
    clearTimeout(limit);
    stop.removeEventListener("abort", giveUp);
    client.destroy();
  }
}

function piecesOf(body: string, sent: MixedRequest["sent"]): string[] {
  const size = Math.ceil(body.length / (sent.includes("-") ? pieces : 1));
  return Array.from({ length: Math.ceil(body.length / size) }, (_, nth) =>
    body.slice(nth * size, (nth + 1) * size),
  );
}

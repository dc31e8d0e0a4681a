/**
 * How hostile inputs are written down: requests that no good client sends, with the answers that RFC 9110 and RFC 9112
 * have for them. They are bytes: every character of a text is one. `CASE` stands for four digits of the case's own, so
 * that lengths hold; the order of its n-th request is of the customer `CASE-n`, and the m-th of a batch of `CASE-n.m`.
 */
import type { OutcomeName } from "../../../src/outcomes.ts";

/**
 * An answer: an outcome; the outcomes of a batch; a status alone, as of a look-up; words of the balancer's own for a
 * request that it can't read; what is said of the first order sent again; or that the connection closes without one.
 */
export type Expected =
  | OutcomeName
  | { batch: readonly OutcomeName[] }
  | { status: number }
  | { own: number }
  | { again: OutcomeName }
  | "closed";

/** Its name, its bytes, and the answer to each request in them. */
export type Case = readonly [name: string, bytes: string, ...answers: Expected[]];

/** Where the client waits for a moment, in which what it sent so far is read. */
export const later = "<the rest comes later>";

/** Ends the client's side of the connection where it stands in the bytes of a case, at their end. */
export const halfClose = "<the client's side ends here>";

export const utf8 = (text: string) => Buffer.from(text).toString("latin1");

/** An order of the case's n-th request, with members of a test's own. */
export const order = (n: number | string = 0, members: object = {}) =>
  JSON.stringify({ customer: `CASE-${n}`, coffee: "latte", size: "medium", quantity: 2, ...members });

export const orders = (count: number, members?: object) =>
  `[${Array.from({ length: count }, (_, at) => order(`0.${at}`, members)).join(",")}]`;

type Parts = {
  method?: string;
  target?: string;
  version?: string;
  /** Of the lines by these names; nothing: no such line. */
  host?: string | undefined;
  type?: string | undefined;
  /** Lines between those and the length. */
  lines?: readonly string[];
  /** What Content-Length says; nothing: no such line. */
  length?: number | string | undefined;
  body?: string;
};

/** A request: a good one, but for what is given. */
export function request(parts: Parts = {}): string {
  const { method = "POST", target = "/orders", version = "HTTP/1.1", lines = [], body = order() } = parts;
  const { host = "coffee-orders", type = "application/json", length = body.length } = parts;
  const all = [
    ...("host" in parts && parts.host === undefined ? [] : [`Host: ${host}`]),
    ...("type" in parts && parts.type === undefined ? [] : [`Content-Type: ${type}`]),
    ...lines,
    ...("length" in parts && parts.length === undefined ? [] : [`Content-Length: ${length}`]),
  ];
  return `${method} ${target} ${version}\r\n${all.map((line) => `${line}\r\n`).join("")}\r\n${body}`;
}

export const bodiless = (method: string, target: string, parts: Parts = {}) =>
  request({ method, target, type: undefined, length: undefined, body: "", ...parts });

export const batch = (body: string, parts: Parts = {}) =>
  request({ target: "/orders/batch", body, ...parts });

/** A body in chunks of so many bytes, each with this after its size, then the trailers. */
export function chunks(body: string, { size = body.length, extension = "", trailers = "" } = {}): string {
  const parts = body.match(new RegExp(`[^]{1,${Math.max(1, size)}}`, "g")) ?? [];
  return `${parts.map((part) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`).join("")}0\r\n${trailers}\r\n`;
}

export const chunked = (body: string, parts: Parts = {}) =>
  request({
    ...parts,
    lines: ["Transfer-Encoding: chunked", ...(parts.lines ?? [])],
    length: undefined,
    body,
  });

export const codings = (value: string, body = chunks(order())) =>
  request({ lines: [`Transfer-Encoding: ${value}`], length: undefined, body });

export const keyed = (...lines: string[]) =>
  request({ lines: lines.map((line) => `Idempotency-Key: ${line}`) });

export const many = <T>(count: number, value: T) => Array.from({ length: count }, () => value);
export const fields = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: ${n}`);

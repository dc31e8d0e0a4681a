/**
 * Requests that no good client sends, each with the answers that RFC 9110 and RFC 9112 have for it. They are bytes: every
 * character of a text is one. `CASE` stands for four digits of the case's own, so that lengths hold; the order of its
 * n-th request is of the customer `CASE-n`, and the m-th of a batch of `CASE-n.m`.
 */
import type { OutcomeName } from "../../src/outcomes.ts";

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

const utf8 = (text: string) => Buffer.from(text).toString("latin1");

/** An order of the case's n-th request, with members of a test's own. */
const order = (n: number | string = 0, members: object = {}) =>
  JSON.stringify({ customer: `CASE-${n}`, coffee: "latte", size: "medium", quantity: 2, ...members });

const orders = (count: number, members?: object) =>
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
function request(parts: Parts = {}): string {
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

const bodiless = (method: string, target: string, parts: Parts = {}) =>
  request({ method, target, type: undefined, length: undefined, body: "", ...parts });

const batch = (body: string, parts: Parts = {}) => request({ target: "/orders/batch", body, ...parts });

/** A body in chunks of so many bytes, each with this after its size, then the trailers. */
function chunks(body: string, { size = body.length, extension = "", trailers = "" } = {}): string {
  const parts = body.match(new RegExp(`[^]{1,${Math.max(1, size)}}`, "g")) ?? [];
  return `${parts.map((part) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`).join("")}0\r\n${trailers}\r\n`;
}

const chunked = (body: string, parts: Parts = {}) =>
  request({
    ...parts,
    lines: ["Transfer-Encoding: chunked", ...(parts.lines ?? [])],
    length: undefined,
    body,
  });

const codings = (value: string, body = chunks(order())) =>
  request({ lines: [`Transfer-Encoding: ${value}`], length: undefined, body });

const keyed = (...lines: string[]) => request({ lines: lines.map((line) => `Idempotency-Key: ${line}`) });

const many = <T>(count: number, value: T) => Array.from({ length: count }, () => value);
const fields = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: ${n}`);

const framing: Case[] = [
  ["a good order", request(), "accepted"],
  ["a length with a sign", request({ length: `+${order().length}` }), { own: 400 }],
  ["a negative length", request({ length: "-1" }), { own: 400 }],
  ["a length with leading zeros", request({ length: `000${order().length}` }), "accepted"],
  [
    "a length with thirty leading zeros",
    request({ length: `${"0".repeat(30)}${order().length}` }),
    "accepted",
  ],
  ["a length in hexadecimal", request({ length: `0x${order().length.toString(16)}` }), { own: 400 }],
  ["a length with a fraction", request({ length: `${order().length}.0` }), { own: 400 }],
  ["an empty length", request({ length: "" }), { own: 400 }],
  [
    "the same length twice in one line",
    request({ length: `${order().length}, ${order().length}` }),
    "accepted",
  ],
  ["the same length in two lines", request({ lines: [`Content-Length: ${order().length}`] }), "accepted"],
  ["two lengths", request({ lines: ["Content-Length: 5"] }), { own: 400 }],
  ["a length above an order's", request({ length: 8_193, body: "" }), "body_too_large"],
  ["a length above a batch's", batch("", { length: 1_048_577 }), "body_too_large"],
  ["a length of 31 bits", request({ length: 2 ** 31 - 1, body: "" }), "body_too_large"],
  ["a length beyond 31 bits", request({ length: 2 ** 31, body: "" }), "body_too_large"],
  ["a length of 32 bits", request({ length: 2 ** 32 - 1, body: "" }), "body_too_large"],
  ["a length beyond 32 bits", request({ length: 2 ** 32 + order().length }), "body_too_large"],
  [
    "a length beyond 32 bits, batch",
    batch(orders(1), { length: 2 ** 32 + orders(1).length }),
    "body_too_large",
  ],
  ["a length beyond 53 bits", request({ length: "9007199254740993" }), "body_too_large"],
  ["a length of 63 bits", request({ length: "9223372036854775807" }), "body_too_large"],
  ["a length beyond 63 bits", request({ length: "9223372036854775808" }), { own: 400 }],
  [
    "a length beyond 64 bits that wraps to 0",
    request({ length: `${2n ** 64n}`, body: "" }),
    "body_too_large",
  ],
  ["a length beyond 64 bits", request({ length: "18446744073709551616" }), "body_too_large", { own: 400 }],
  [
    "a length beyond 64 bits that wraps to the body's",
    request({ length: `${2n ** 64n + BigInt(order().length)}` }),
    { own: 400 },
  ],
  [
    "a body longer than its length",
    request({ body: `${order()}GARBAGE\r\n\r\n`, length: order().length }),
    "accepted",
    { own: 400 },
  ],
  ["a body shorter than its length", request({ length: order().length + 10 }), "body_timeout"],
  [
    "a body shorter than its length, half closed",
    request({ length: order().length + 10 }) + halfClose,
    "closed",
  ],
  ["no length at all", bodiless("POST", "/orders", { type: "application/json" }), "malformed_body"],
  ["no length at all, with bytes", request({ length: undefined }), "malformed_body", { own: 400 }],
  ["an empty body", request({ body: "" }), "malformed_body"],
  ["a length and chunks", chunked(chunks(order()), { lines: ["Content-Length: 5"] }), "accepted"],
];

const transferCodings: Case[] = [
  ["chunks", codings("chunked"), "accepted"],
  ["chunks of one byte", codings("chunked", chunks(order(), { size: 1 })), "accepted"],
  ["Chunked in capitals", codings("CHUNKED"), "accepted"],
  ["no chunks but the last", codings("chunked", "0\r\n\r\n"), "malformed_body"],
  ["trailers", codings("chunked", chunks(order(), { trailers: "X-Checksum: 1\r\n" })), "accepted"],
  [
    "trailers after chunks of one byte",
    codings("chunked", chunks(order(), { size: 1, trailers: "A: 1\r\nB: 2\r\n" })),
    "accepted",
  ],
  [
    "a trailer that names a key",
    codings("chunked", chunks(order(), { trailers: "Idempotency-Key: other\r\n" })),
    "accepted",
  ],
  [
    "a trailer that names a length",
    codings("chunked", chunks(order(), { trailers: "Content-Length: 3\r\n" })),
    "accepted",
  ],
  [
    "a trailer that is no field",
    codings("chunked", chunks(order(), { trailers: "no field\r\n" })),
    { own: 400 },
  ],
  [
    "a trailer with a control byte",
    codings("chunked", chunks(order(), { trailers: "X: a\u0001b\r\n" })),
    "accepted",
  ],
  ["a chunk extension", codings("chunked", chunks(order(), { extension: ";a=b" })), "accepted"],
  ["a quoted chunk extension", codings("chunked", chunks(order(), { extension: ';a="b;c"' })), "accepted"],
  [
    "a chunk extension with a bare LF",
    codings("chunked", chunks(order(), { extension: ";a\n" })),
    { own: 400 },
  ],
  ["a chunk size with leading zeros", codings("chunked", `0000${chunks(order())}`), "accepted"],
  ["a chunk size with a sign", codings("chunked", `+${chunks(order())}`), { own: 400 }],
  ["a chunk size in 0x", codings("chunked", `0x${chunks(order())}`), { own: 400 }],
  ["a chunk size that is no number", codings("chunked", "zz\r\n\r\n"), { own: 400 }],
  ["a chunk size of 32 bits", codings("chunked", `ffffffff\r\n${order()}`), "body_timeout"],
  ["a chunk size of 64 bits", codings("chunked", `ffffffffffffffff\r\n${order()}`), { own: 400 }],
  ["a chunk size beyond 64 bits", codings("chunked", `1${"0".repeat(16)}\r\n${order()}`), { own: 400 }],
  ["a chunk without its CRLF", codings("chunked", chunks(order()).replace("}\r\n", "}")), { own: 400 }],
  ["a chunk longer than its size", codings("chunked", `5\r\n${order()}\r\n0\r\n\r\n`), { own: 400 }],
  ["chunks without the last", codings("chunked", chunks(order()).slice(0, -5)), "body_timeout"],
  [
    "chunks without the last, half closed",
    codings("chunked", chunks(order()).slice(0, -5)) + halfClose,
    "closed",
  ],
  [
    "chunks above an order's bound",
    codings("chunked", chunks(`${order()}${" ".repeat(8_192)}`)),
    "body_too_large",
  ],
  ["a chunk size that is no number, later", codings("chunked", `${later}zz\r\n\r\n`), "malformed_request"],
  [
    "a second chunk's size that is no number, later",
    codings("chunked", chunks(order()).replace(/0\r\n\r\n$/, `${later}zz\r\n\r\n`)),
    "malformed_request",
  ],
  ["trailers, later", codings("chunked", chunks(order(), { trailers: `${later}A: 1\r\n` })), "accepted"],
  [
    "the last chunk, later",
    codings("chunked", chunks(order()).replace(/0\r\n\r\n$/, `${later}0\r\n\r\n`)),
    "accepted",
  ],
  ["gzip, chunked", codings("gzip, chunked"), { own: 422 }],
  ["identity", codings("identity", order()), { own: 400 }],
  ["identity and a length", request({ lines: ["Transfer-Encoding: identity"] }), { own: 400 }],
  ["chunked, chunked", codings("chunked, chunked"), { own: 400 }],
  ["chunked, identity", codings("chunked, identity"), { own: 400 }],
  ["chunked, gzip", codings("chunked, gzip"), { own: 400 }],
  [
    "chunked in two lines",
    request({
      lines: ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
      length: undefined,
      body: chunks(order()),
    }),
    { own: 400 },
  ],
  [
    "gzip and chunked in two lines",
    request({
      lines: ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
      length: undefined,
      body: chunks(order()),
    }),
    { own: 422 },
  ],
  ["xchunked", codings("xchunked"), { own: 400 }],
  ["chunked with a tab before it", codings("\tchunked"), "accepted"],
  ["chunked with a control byte", codings("\u000bchunked"), { own: 400 }],
  ["an empty transfer coding", codings(""), { own: 400 }],
  [
    "Transfer-Encoding with a blank before its colon",
    request({ lines: ["Transfer-Encoding : chunked"], body: chunks(order()) }),
    { own: 400 },
  ],
];

const versions: Case[] = [
  ["no Host", request({ host: undefined }), "malformed_request"],
  ["no Host, look-up", bodiless("GET", "/openapi.json", { host: undefined }), "malformed_request"],
  ["two Hosts", request({ lines: ["Host: another"] }), { own: 400 }],
  ["the same Host twice", request({ lines: ["Host: coffee-orders"] }), "accepted"],
  ["an empty Host", request({ host: "" }), "accepted"],
  ["a Host with a port", request({ host: "coffee-orders:80" }), "accepted"],
  ["a Host of IPv6", request({ host: "[::1]:8080" }), "accepted"],
  ["a Host of 300 characters", request({ host: "h".repeat(300) }), "accepted"],
  ["a Host with 8-bit bytes", request({ host: "caf\u00e9" }), "malformed_request"],
  ["a Host with a comma", request({ host: "a,b" }), "accepted"],
  ["a Host with a user", request({ host: "user@coffee-orders" }), "malformed_request"],
  ["a Host with a control byte", request({ host: "a\u0001b" }), "malformed_request"],
  ["a Host that is no host", request({ host: "a b/c?d" }), "malformed_request"],
  ["HTTP/1.0 with Host", request({ version: "HTTP/1.0" }), "accepted"],
  ["HTTP/1.0 without Host", request({ version: "HTTP/1.0", host: undefined }), "accepted"],
  [
    "HTTP/1.0 that keeps its connection",
    request({ version: "HTTP/1.0", lines: ["Connection: keep-alive"] }),
    "accepted",
  ],
  [
    "HTTP/1.0 with chunks",
    request({
      version: "HTTP/1.0",
      lines: ["Transfer-Encoding: chunked"],
      length: undefined,
      body: chunks(order()),
    }),
    "accepted",
  ],
  [
    "HTTP/1.0 without a length",
    request({ version: "HTTP/1.0", length: undefined }) + halfClose,
    "malformed_body",
  ],
  ["HTTP/0.9", "POST /orders\r\n\r\n", { own: 400 }],
  ["HTTP/1.2", request({ version: "HTTP/1.2" }), "accepted"],
  ["HTTP/2.0 in text", request({ version: "HTTP/2.0" }), "accepted"],
  ["HTTP/3", request({ version: "HTTP/3" }), { own: 400 }],
  ["http/1.1 in small letters", request({ version: "http/1.1" }), { own: 400 }],
  ["no version", request({ version: "" }), { own: 400 }],
  [
    "the preface of HTTP/2",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    "malformed_request",
    { own: 400 },
  ],
  ["a TLS greeting", `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${"\0".repeat(32)}\r\n\r\n`, { own: 400 }],
  ["a PROXY line", `PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n${request()}`, { own: 400 }],
];

const methods: Case[] = [
  ["post in small letters", request({ method: "post" }), "method_not_allowed"],
  ["an unknown method", request({ method: "BREW" }), "method_not_allowed"],
  ["a method of one letter", request({ method: "P" }), "method_not_allowed"],
  ["a method of a thousand letters", request({ method: "P".repeat(1_000) }), "method_not_allowed"],
  ["a method with a control byte", request({ method: "PO\u0001ST" }), { own: 400 }],
  ["a method with a bracket", request({ method: "PO(ST" }), { own: 400 }],
  ["no method", request({ method: "" }), { own: 400 }],
  ["PUT", request({ method: "PUT" }), "method_not_allowed"],
  ["PATCH", request({ method: "PATCH" }), "method_not_allowed"],
  ["DELETE", bodiless("DELETE", "/orders"), "method_not_allowed"],
  ["GET", bodiless("GET", "/orders"), "method_not_allowed"],
  ["GET with a body", request({ method: "GET" }), "method_not_allowed"],
  ["GET of a batch", bodiless("GET", "/orders/batch"), "method_not_allowed"],
  ["HEAD of orders", bodiless("HEAD", "/orders"), { status: 405 }],
  ["HEAD of a batch", bodiless("HEAD", "/orders/batch"), { status: 405 }],
  ["HEAD of the description", bodiless("HEAD", "/openapi.json"), { status: 200 }],
  [
    "HEAD of the description, a Host that Bun can't read",
    bodiless("HEAD", "/openapi.json", { host: "x:99999" }),
    { status: 200 },
  ],
  ["HEAD of an order", bodiless("HEAD", "/orders/00000000-0000-4000-8000-000000000000"), { status: 404 }],
  ["HEAD of nothing", bodiless("HEAD", "/nothing"), { status: 404 }],
  ["OPTIONS", bodiless("OPTIONS", "/orders"), "method_not_allowed"],
  ["OPTIONS *", bodiless("OPTIONS", "*"), "not_found"],
  ["TRACE", bodiless("TRACE", "/orders"), "method_not_allowed"],
  ["TRACE with a body", request({ method: "TRACE" }), "method_not_allowed"],
  ["CONNECT", bodiless("CONNECT", "coffee-orders:80"), "malformed_request"],
  ["CONNECT of orders", request({ method: "CONNECT" }), { own: 400 }],
  ["POST of the description", request({ target: "/openapi.json" }), "method_not_allowed"],
  [
    "POST to an order",
    request({ target: "/orders/00000000-0000-4000-8000-000000000000" }),
    "method_not_allowed",
  ],
  [
    "DELETE of an order",
    bodiless("DELETE", "/orders/00000000-0000-4000-8000-000000000000"),
    "method_not_allowed",
  ],
  [
    "X-HTTP-Method-Override",
    bodiless("GET", "/orders", { lines: ["X-HTTP-Method-Override: POST"] }),
    "method_not_allowed",
  ],
];

const upgrades: Case[] = [
  [
    "Upgrade to h2c",
    request({
      lines: [
        "Upgrade: h2c",
        "Connection: Upgrade, HTTP2-Settings",
        "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
      ],
    }),
    "accepted",
  ],
  [
    "Upgrade to WebSocket, with a body",
    request({
      lines: [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ],
    }),
    "accepted",
  ],
  [
    "Upgrade to WebSocket, without",
    bodiless("GET", "/openapi.json", {
      lines: [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ],
    }),
    { status: 200 },
  ],
  [
    "Upgrade to something unknown",
    request({ lines: ["Upgrade: coffee/2", "Connection: Upgrade"] }),
    "accepted",
  ],
  ["Expect: 100-continue", request({ lines: ["Expect: 100-continue"] }), "accepted"],
  ["Expect: 100-continue in capitals", request({ lines: ["Expect: 100-CONTINUE"] }), "accepted"],
  [
    "Expect: 100-continue, chunked",
    chunked(chunks(order()), { lines: ["Expect: 100-continue"] }),
    "accepted",
  ],
  ["Expect: something else", request({ lines: ["Expect: 200-maybe"] }), "accepted"],
  ["Connection that names Content-Length", request({ lines: ["Connection: Content-Length"] }), "accepted"],
  [
    "Connection that names the key",
    request({ lines: ["Connection: Idempotency-Key", 'Idempotency-Key: "CASE"'] }),
    "accepted",
  ],
  ["TE: trailers", request({ lines: ["TE: trailers"] }), "accepted"],
];

const heads: Case[] = [
  ["90 headers", request({ lines: fields(90) }), "accepted"],
  ["95 headers", request({ lines: fields(95) }), "accepted"],
  ["97 headers", request({ lines: fields(97) }), "accepted"],
  ["98 headers", request({ lines: fields(98) }), { own: 400 }],
  ["100 headers", request({ lines: fields(100) }), { own: 400 }],
  ["130 headers", request({ lines: fields(130) }), { own: 400 }],
  ["a header of 4 KB", request({ lines: [`X: ${"x".repeat(4_000)}`] }), "accepted"],
  ["a header of 7 KB", request({ lines: [`X: ${"x".repeat(7_000)}`] }), "accepted"],
  [
    "a header of 7 KB, batch",
    batch(orders(2), { lines: [`X: ${"x".repeat(7_000)}`] }),
    { batch: many(2, "accepted") },
  ],
  [
    "a header of 7 KB, look-up",
    bodiless("GET", "/openapi.json", { lines: [`X: ${"x".repeat(7_000)}`] }),
    { status: 200 },
  ],
  ["nine headers of 1 KB", request({ lines: many(9, `X: ${"x".repeat(1_000)}`) }), "headers_too_large"],
  [
    "a header of 7 KB, an order of 8 KB",
    request({ lines: [`X: ${"x".repeat(7_000)}`], body: order().padEnd(8_192) }),
    "headers_too_large",
  ],
  ["a header of 9 KB", request({ lines: [`X: ${"x".repeat(9_000)}`] }), "headers_too_large"],
  ["a header of 9 KB, batch", batch(orders(2), { lines: [`X: ${"x".repeat(9_000)}`] }), "headers_too_large"],
  ["a header of 15 KB", request({ lines: [`X: ${"x".repeat(15_000)}`] }), "headers_too_large"],
  ["a header of 17 KB", request({ lines: [`X: ${"x".repeat(17_000)}`] }), { own: 400 }],
  ["a header's name of 7 KB", request({ lines: [`${"x".repeat(7_000)}: x`] }), { own: 400 }],
  ["a NUL in a header", request({ lines: ["X: a\0b"] }), "malformed_request"],
  ["a control byte in a header", request({ lines: ["X: a\u0001b"] }), "malformed_request"],
  ["a DEL in a header", request({ lines: ["X: a\u007fb"] }), "malformed_request"],
  ["a bare CR in a header", request({ lines: ["X: a\rb"] }), { own: 400 }],
  ["8-bit bytes in a header", request({ lines: ["X: a\u00e9\u00ff"] }), "accepted"],
  ["an 8-bit byte in a header's name", request({ lines: ["X\u00e9: a"] }), { own: 400 }],
  ["an empty header's name", request({ lines: [": a"] }), { own: 400 }],
  ["a blank before a colon", request({ lines: ["X : a"] }), { own: 400 }],
  ["a line without a colon", request({ lines: ["X"] }), { own: 400 }],
  [
    "a blank before the first header",
    request({ host: undefined }).replace("\r\n", "\r\n Host: x\r\n"),
    { own: 400 },
  ],
  ["a folded header", request({ lines: ["X: a\r\n b"] }), "accepted"],
  ["a folded key", request({ lines: ["Idempotency-Key: a\r\n b"] }), "accepted"],
  [
    "a folded length",
    request({ length: undefined, lines: [`Content-Length:\r\n ${order().length}`] }),
    "accepted",
  ],
  ["bare LF as line ends", request().replaceAll("\r\n", "\n"), "accepted"],
  ["a blank line before", `\r\n${request()}`, "accepted"],
  ["ten blank lines before", `${"\r\n".repeat(10)}${request()}`, "accepted"],
  ["a blank before the request line", ` ${request()}`, { own: 400 }],
  ["two blanks in the request line", request().replace(" /orders ", "  /orders  "), "accepted"],
  ["a tab in the request line", request().replace(" /orders ", "\t/orders\t"), "accepted"],
  ["bare CR as line ends", request().replaceAll("\r\n", "\r"), { own: 400 }],
  ["a head without an end", "POST /orders HTTP/1.1\r\nHost: x\r\n", { own: 408 }],
  ["a head without an end, half closed", `POST /orders HTTP/1.1\r\nHost: x\r\n${halfClose}`, { own: 400 }],
  ["nothing, half closed", halfClose, { own: 400 }],
  ["a client's own Order-Fate", request({ lines: ["Order-Fate: accepted"] }), "accepted"],
  ["a client's own X-Forwarded-For", request({ lines: ["X-Forwarded-For: 1.2.3.4"] }), "accepted"],
];

const targets: Case[] = [
  ["a path that ends with a slash", request({ target: "/orders/" }), "not_found"],
  ["two slashes", request({ target: "//orders" }), "not_found"],
  ["capitals", request({ target: "/Orders" }), "not_found"],
  ["percent-encoded", request({ target: "/%6frders" }), "not_found"],
  ["percent-encoded, batch", batch(orders(1), { target: "/orders%2fbatch" }), "not_found"],
  ["a NUL, encoded", request({ target: "/orders%00" }), "not_found"],
  ["a malformed percent", request({ target: "/orders%zz" }), "not_found"],
  ["a NUL in the path", request({ target: "/orders\0" }), { own: 400 }],
  ["an 8-bit byte in the path", request({ target: "/orders\u00e9" }), { own: 400 }],
  ["a control byte in the path", request({ target: "/orders\u0001" }), { own: 400 }],
  ["a query", request({ target: "/orders?a=b" }), "accepted"],
  ["a query, batch", batch(orders(1), { target: "/orders/batch?a=b" }), { batch: ["accepted"] }],
  ["an empty query", request({ target: "/orders?" }), "accepted"],
  ["a query with the way up", request({ target: "/orders?/../metrics" }), "accepted"],
  ["a fragment", request({ target: "/orders#x" }), { own: 400 }],
  ["a matrix parameter", request({ target: "/orders;a=b" }), "not_found"],
  ["the way up", bodiless("GET", "/orders/../metrics"), "not_found"],
  ["the way up, encoded", bodiless("GET", "/orders/%2e%2e/metrics"), "not_found"],
  ["a backslash", request({ target: "/orders\\" }), "not_found"],
  ["metrics", bodiless("GET", "/metrics"), "not_found"],
  ["readiness", bodiless("GET", "/readyz"), "not_found"],
  ["the root", bodiless("GET", "/"), "not_found"],
  ["an asterisk", request({ target: "*" }), "not_found"],
  ["no slash", request({ target: "orders" }), { own: 400 }],
  ["an absolute URI", request({ target: "http://coffee-orders/orders" }), "accepted"],
  ["an absolute URI of another host", request({ target: "http://another/orders" }), { own: 400 }],
  ["an absolute URI, https", request({ target: "https://coffee-orders/orders" }), "accepted"],
  [
    "an absolute URI, batch",
    batch(orders(1), { target: "http://coffee-orders/orders/batch" }),
    { batch: ["accepted"] },
  ],
  ["an absolute URI without a path", request({ target: "http://coffee-orders" }), "not_found"],
  ["an absolute URI without a host", request({ target: "http:///orders", host: "" }), "malformed_request"],
  [
    "an absolute URI with a port and no host",
    request({ target: "http://:80/orders", host: ":80" }),
    "malformed_request",
  ],
  ["an absolute URI of nothing", request({ target: "http://", host: "" }), "malformed_request"],
  [
    "an absolute URI of nothing but a query",
    request({ target: "http://?a=/orders", host: "" }),
    { own: 400 },
  ],
  [
    "an absolute URI with its default port",
    request({ target: "http://coffee-orders:80/orders" }),
    "accepted",
  ],
  ["an absolute URI in capitals", request({ target: "HTTP://COFFEE-ORDERS/orders" }), "accepted"],
  ["an absolute URI with a user", request({ target: "http://user@coffee-orders/orders" }), "accepted"],
  ["an absolute URI, IPv6", request({ target: "http://[::1]/orders", host: "[::1]" }), "accepted"],
  ["an absolute URI, ftp", request({ target: "ftp://coffee-orders/orders" }), "malformed_request"],
  [
    "an absolute URI, HTTP/1.0, no Host and no host",
    request({ target: "http:///orders", host: undefined, version: "HTTP/1.0" }),
    "malformed_request",
  ],
  ["an absolute URI, look-up", bodiless("GET", "http://coffee-orders/openapi.json"), { status: 200 }],
  [
    "an absolute URI without a host, look-up",
    bodiless("GET", "http:///openapi.json", { host: "" }),
    "malformed_request",
  ],
  [
    "an absolute URI, no Host",
    request({ target: "http://coffee-orders/orders", host: undefined }),
    "malformed_request",
  ],
  [
    "an absolute URI, HTTP/1.0, no Host",
    request({ target: "http://coffee-orders/orders", host: undefined, version: "HTTP/1.0" }),
    "accepted",
  ],
  ["a URI of 1,000 bytes", request({ target: `/orders?${"x".repeat(992)}` }), "accepted"],
  ["a URI of 2 KB", request({ target: `/orders?${"x".repeat(2_000)}` }), "uri_too_long"],
  ["a URI of 7 KB", request({ target: `/orders?${"x".repeat(7_000)}` }), "uri_too_long"],
  ["a URI of 2 KB, look-up", bodiless("GET", `/openapi.json?${"x".repeat(2_000)}`), "uri_too_long"],
  ["a URI of 17 KB", request({ target: `/orders?${"x".repeat(17_000)}` }), { own: 400 }],
  ["an id in capitals", bodiless("GET", "/orders/B98A142B-6AD9-8A04-B1CE-B0407A8EC501"), "not_found"],
  ["an id of hyphens", bodiless("GET", `/orders/${"-".repeat(36)}`), "not_found"],
];

const connections: Case[] = [
  [
    "three in a row",
    request() + request({ body: order(1) }) + request({ body: order(2) }),
    "accepted",
    "accepted",
    "accepted",
  ],
  [
    "three in a row, the second refused",
    request() + request({ body: "{" }) + request({ body: order(2) }),
    "accepted",
    "malformed_body",
    "accepted",
  ],
  [
    "three in a row, chunked with trailers",
    codings("chunked", chunks(order(), { trailers: "A: 1\r\n" })) +
      codings("chunked", chunks(order(1), { size: 7, trailers: "A: 1\r\n" })) +
      request({ body: order(2) }),
    "accepted",
    "accepted",
    "accepted",
  ],
  [
    "in a row after one that is too large",
    request({ length: 8_193, body: "" }) + request({ body: order(1) }),
    "body_too_large",
  ],
  [
    "in a row after a wrong method",
    request({ method: "PUT" }) + request({ body: order(1) }),
    "method_not_allowed",
    "accepted",
  ],
  [
    "in a row after a wrong path",
    request({ target: "/nothing" }) + request({ body: order(1) }),
    "not_found",
    "accepted",
  ],
  [
    "in a row after a close",
    request({ lines: ["Connection: close"] }) + request({ body: order(1) }),
    "accepted",
  ],
  [
    "in a row after a GET with a body",
    request({ method: "GET", target: "/openapi.json", body: "x" }) + request({ body: order(1) }),
    "body_too_large",
    "accepted",
  ],
  [
    "in a row after chunks to a look-up",
    request({
      method: "GET",
      target: "/openapi.json",
      lines: ["Transfer-Encoding: chunked"],
      length: undefined,
      body: chunks("x"),
    }) + request({ body: order(1) }),
    "body_too_large",
    "accepted",
  ],
  [
    "in a row after two keys",
    keyed("CASE-a", "CASE-b") + request({ body: order(1) }),
    "malformed_key",
    "accepted",
  ],
  [
    "in a row after a control byte",
    request({ lines: ["X: a\u0001b"] }) + request({ body: order(1) }),
    "malformed_request",
    "accepted",
  ],
  [
    "in a row after a long URI",
    request({ target: `/orders?${"x".repeat(2_000)}` }) + request({ body: order(1) }),
    "uri_too_long",
    "accepted",
  ],
  [
    "smuggled: length, then chunks",
    request({ lines: ["Transfer-Encoding: chunked"], body: `0\r\n\r\n${request({ body: order(1) })}` }),
    "malformed_body",
  ],
  ["smuggled: in a body that is a request", request({ body: request({ body: order(1) }) }), "malformed_body"],
  ["half closed after the request", request() + halfClose, "accepted"],
  ["half closed after a chunked one", codings("chunked") + halfClose, "accepted"],
  ["half closed after a batch", batch(orders(2)) + halfClose, { batch: many(2, "accepted") }],
];

const contents: Case[] = [
  ["no media type", request({ type: undefined }), "unsupported_media_type"],
  ["an empty media type", request({ type: "" }), "unsupported_media_type"],
  ["text/plain", request({ type: "text/plain" }), "unsupported_media_type"],
  [
    "a form",
    request({ type: "application/x-www-form-urlencoded", body: "customer=CASE-0" }),
    "unsupported_media_type",
  ],
  ["application/problem+json", request({ type: "application/problem+json" }), "unsupported_media_type"],
  ["the media type in capitals", request({ type: "Application/JSON" }), "accepted"],
  ["two media types", request({ lines: ["Content-Type: text/plain"] }), "unsupported_media_type"],
  [
    "two media types in one line",
    request({ type: "application/json, text/plain" }),
    "unsupported_media_type",
  ],
  ["charset utf-8", request({ type: "application/json; charset=utf-8" }), "accepted"],
  ['charset "UTF-8"', request({ type: 'application/json;charset="UTF-8"' }), "accepted"],
  ["charset utf-16", request({ type: "application/json; charset=utf-16" }), "unsupported_media_type"],
  ["charset latin1", request({ type: "application/json; charset=iso-8859-1" }), "unsupported_media_type"],
  ["another parameter", request({ type: "application/json; version=1" }), "accepted"],
  [
    "UTF-16 without a word",
    request({ body: Buffer.from(order(), "utf16le").toString("latin1") }),
    "malformed_body",
  ],
  [
    "Content-Encoding: gzip, gzipped",
    request({
      lines: ["Content-Encoding: gzip"],
      body: Buffer.from(Bun.gzipSync(Buffer.from(order()))).toString("latin1"),
    }),
    "unsupported_media_type",
  ],
  ["Content-Encoding: gzip, plain", request({ lines: ["Content-Encoding: gzip"] }), "unsupported_media_type"],
  ["Content-Encoding: br", request({ lines: ["Content-Encoding: br"] }), "unsupported_media_type"],
  ["Content-Encoding: identity", request({ lines: ["Content-Encoding: identity"] }), "accepted"],
  [
    "Content-Encoding: identity, gzip",
    request({ lines: ["Content-Encoding: identity, gzip"] }),
    "unsupported_media_type",
  ],
  ["an Accept that nothing meets", request({ lines: ["Accept: text/html"] }), "accepted"],
  ["a BOM", request({ body: utf8(`\ufeff${order()}`) }), "accepted"],
  ["bytes that are no UTF-8", request({ body: order().replace("CASE", "CASE\u00e9") }), "malformed_body"],
  ["an overlong form", request({ body: order().replace("CASE", "CASE\xc0\xaf") }), "malformed_body"],
  ["a NUL in the body", request({ body: order().replace("CASE", "CASE\0") }), "malformed_body"],
  ["a NUL after the body", request({ body: `${order()}\0` }), "malformed_body"],
  ["an escaped NUL", request({ body: order(0, { note: "a\0b" }) }), "invalid_order"],
  [
    "a lone surrogate",
    request({ body: order(0, { note: "X" }).replace('"X"', '"\\ud800"') }),
    "invalid_order",
  ],
  [
    "a lone surrogate in UTF-8",
    request({ body: order(0, { note: "X" }).replace('"X"', '"\xed\xa0\x80"') }),
    "malformed_body",
  ],
  ["letters of all kinds", request({ body: utf8(order(0, { note: "Crème brûlée, 咖啡 ☕" })) }), "accepted"],
  ["a duplicate member", request({ body: order().replace("{", '{"customer":"CASE-1",') }), "malformed_body"],
  [
    "a duplicate member, escaped",
    request({ body: order().replace("{", '{"\\u0063ustomer":"CASE-1",') }),
    "malformed_body",
  ],
  [
    "a duplicate member, same value",
    request({ body: order().replace("{", '{"size":"medium",') }),
    "malformed_body",
  ],
  ["__proto__", request({ body: order().replace("{", '{"__proto__":{"size":"large"},') }), "invalid_order"],
  ["deep nesting", request({ body: "[".repeat(4_000) + "]".repeat(4_000) }), "invalid_order"],
  [
    "deep nesting in an order",
    request({ body: order(0, { note: "X" }).replace('"X"', "[".repeat(3_000) + "]".repeat(3_000)) }),
    "invalid_order",
  ],
  ["a quantity of 2.0", request({ body: order().replace(":2}", ":2.0}") }), "accepted"],
  ["a quantity of 1e400", request({ body: order().replace(":2}", ":1e400}") }), "invalid_order"],
  ["a quantity of NaN", request({ body: order().replace(":2}", ":NaN}") }), "malformed_body"],
  ["a trailing comma", request({ body: order().replace("}", ",}") }), "malformed_body"],
  ["a comment", request({ body: `/* */${order()}` }), "malformed_body"],
  ["two documents", request({ body: order() + order(1) }), "malformed_body"],
  ["blanks around", request({ body: ` \r\n\t${order()}\n` }), "accepted"],
  ["a form feed before", request({ body: `\f${order()}` }), "malformed_body"],
  ["an array", request({ body: orders(1) }), "invalid_order"],
  ["null", request({ body: "null" }), "invalid_order"],
  ["a number", request({ body: "1" }), "invalid_order"],
  ["half an order", request({ body: order().slice(0, -1) }), "malformed_body"],
  ["an order of 8,192 bytes", request({ body: order().padEnd(8_192) }), "accepted"],
  [
    "an order of 8,192 bytes in chunks of one byte",
    chunked(chunks(order().padEnd(8_192), { size: 1, trailers: "A: 1\r\n" })),
    "accepted",
  ],
  ["an order of 8,193 bytes", request({ body: order().padEnd(8_193) }), "body_too_large"],
];

const keys: Case[] = [
  ["a key", keyed("CASE"), "accepted"],
  ["a quoted key", keyed('"CASE"'), "accepted"],
  ["a quoted key with blanks", keyed('"CASE b"'), "accepted"],
  ["a quoted key with escapes", keyed('"CASE\\"\\\\"'), "accepted"],
  ["a key with a parameter", keyed('"CASE";a=1'), "accepted"],
  ["a key with parameters", keyed('"CASE"; a=1;b; c="d;e"'), "accepted"],
  ["a key with a blank before its parameter", keyed('"CASE" ;a=1'), "malformed_key"],
  ["a key with a malformed parameter", keyed('"CASE";=1'), "malformed_key"],
  ["an empty key", keyed(""), "malformed_key"],
  ["an empty quoted key", keyed('""'), "malformed_key"],
  ["a key of blanks", keyed('"  "'), "malformed_key"],
  ["two keys", keyed("CASE-a", "CASE-b"), "malformed_key"],
  ["the same key twice", keyed("CASE", "CASE"), "malformed_key"],
  ["two quoted keys", keyed('"CASE-a"', '"CASE-b"'), "malformed_key"],
  ["two quoted keys in one line", keyed('"CASE-a", "CASE-b"'), "malformed_key"],
  ["a key and an empty one", keyed("CASE", ""), "malformed_key"],
  ["an empty one and a key", keyed("", "CASE"), "malformed_key"],
  ["a key with a comma", keyed("CASE,b"), "accepted"],
  ["a key that begins with a comma", keyed(",CASE"), "accepted"],
  ["a key of 255 characters", keyed("CASE".padEnd(255, "k")), "accepted"],
  ["a key of 256 characters", keyed("CASE".padEnd(256, "k")), "malformed_key"],
  ["a key of 4,000 characters", keyed("CASE".padEnd(4_000, "k")), "malformed_key"],
  ["an open quote", keyed('"CASE'), "malformed_key"],
  ["a control byte in a key", keyed("CASE\u0001"), "malformed_request"],
  ["a DEL in a key", keyed("CASE\u007f"), "malformed_request"],
  ["a tab in a key", keyed("CASE\tb"), "malformed_key"],
  ["a letter beyond ASCII in a key", keyed("CASE\u00e9"), "malformed_key"],
  ["a key in UTF-8", keyed(utf8("CASEé")), "malformed_key"],
  ["another spelling of the header", request({ lines: ["IDEMPOTENCY-KEY: CASE"] }), "accepted"],
  ["the same key, same order", keyed("CASE") + keyed("CASE"), "accepted", { again: "accepted" }],
  [
    "the same key, another order",
    keyed("CASE") + request({ lines: ["Idempotency-Key: CASE"], body: order(0, { quantity: 9 }) }),
    "accepted",
    { again: "key_reused" },
  ],
  [
    "the same key, quoted and another order",
    keyed("CASE") + request({ lines: ['Idempotency-Key: "CASE"'], body: order(0, { quantity: 9 }) }),
    "accepted",
    { again: "key_reused" },
  ],
  [
    "two keys for a batch",
    batch(orders(1), { lines: ["Idempotency-Key: CASE-a", "Idempotency-Key: CASE-b"] }),
    "malformed_key",
  ],
  [
    "two keys for a look-up",
    bodiless("GET", "/openapi.json", { lines: ["Idempotency-Key: a", "Idempotency-Key: b"] }),
    { status: 200 },
  ],
  ["a malformed traceparent", request({ lines: ["traceparent: 00-xyz"] }), "accepted"],
  [
    "two traceparents",
    request({ lines: many(2, `traceparent: 00-${"a".repeat(32)}-${"b".repeat(16)}-01`) }),
    "accepted",
  ],
];

const batches: Case[] = [
  ["a batch of 0", batch("[]"), "invalid_order"],
  ["a batch of 1", batch(orders(1)), { batch: ["accepted"] }],
  ["a batch of 1,000", batch(orders(1_000)), { batch: many(1_000, "accepted") }],
  ["a batch of 1,001", batch(orders(1_001)), "invalid_order"],
  ["a batch of one that is no array", batch(order()), "invalid_order"],
  [
    "a batch with a wrong one",
    batch(`[${order("0.0")},{},${order("0.2")}]`),
    { batch: ["accepted", "invalid_order", "accepted"] },
  ],
  ["a batch of 1 MB", batch(orders(2).padEnd(1_048_576)), { batch: many(2, "accepted") }],
  ["a batch of 1 MB and a byte", batch(orders(2).padEnd(1_048_577)), "body_too_large"],
  [
    "a batch above 1 MB, chunked",
    chunked(chunks(orders(2).padEnd(1_048_577), { size: 65_536 }), { target: "/orders/batch" }),
    "body_too_large",
  ],
  [
    "a small batch, chunked",
    chunked(chunks(orders(2)), { target: "/orders/batch" }),
    { batch: many(2, "accepted") },
  ],
  [
    "a small batch with trailers",
    chunked(chunks(orders(2), { trailers: "A: 1\r\n" }), { target: "/orders/batch" }),
    { batch: many(2, "accepted") },
  ],
  [
    "a long batch, chunked",
    chunked(chunks(orders(300), { size: 1_000 }), { target: "/orders/batch" }),
    { batch: many(300, "accepted") },
  ],
  [
    "a long batch, chunked, with extensions",
    chunked(chunks(orders(300), { size: 1_000, extension: ";a=b" }), { target: "/orders/batch" }),
    { batch: many(300, "accepted") },
  ],
  [
    "a long batch with trailers",
    chunked(chunks(orders(300), { size: 1_000, trailers: "A: 1\r\n" }), { target: "/orders/batch" }),
    "connection_lost",
  ],
  [
    "a long batch whose last chunk is malformed",
    chunked(chunks(orders(300), { size: 1_000 }).replace(/0\r\n\r\n$/, "zz\r\n\r\n"), {
      target: "/orders/batch",
    }),
    "malformed_request",
  ],
  [
    "a long batch whose last chunk is malformed, later",
    chunked(chunks(orders(300), { size: 1_000 }).replace(/0\r\n\r\n$/, `${later}zz\r\n\r\n`), {
      target: "/orders/batch",
    }),
    "malformed_request",
  ],
  [
    "a long batch whose first chunk is malformed",
    chunked(chunks(orders(300), { size: 1_000 }).replace(/^3e8/, "zz"), { target: "/orders/batch" }),
    { own: 400 },
  ],
  [
    "a long batch whose trailers are malformed",
    chunked(chunks(orders(300), { size: 1_000, trailers: "no field\r\n" }), { target: "/orders/batch" }),
    "malformed_request",
  ],
  [
    "a long batch whose trailers come later",
    chunked(chunks(orders(300), { size: 1_000, trailers: `${later}A: 1\r\n` }), { target: "/orders/batch" }),
    "connection_lost",
  ],
  [
    "a long batch in a row with another",
    chunked(chunks(orders(300), { size: 1_000 }), { target: "/orders/batch" }) + request({ body: order(1) }),
    { batch: many(300, "accepted") },
    "accepted",
  ],
  [
    "a long batch shorter than its length",
    batch(orders(300), { length: orders(300).length + 10 }),
    "body_timeout",
  ],
  [
    "a long batch shorter than its length, half closed",
    batch(orders(300), { length: orders(300).length + 10 }) + halfClose,
    "closed",
  ],
  [
    "a long batch without its last chunk",
    chunked(chunks(orders(300), { size: 1_000 }).slice(0, -5), { target: "/orders/batch" }),
    "body_timeout",
  ],
  [
    "a long batch without its last chunk, half closed",
    chunked(chunks(orders(300), { size: 1_000 }).slice(0, -5), { target: "/orders/batch" }) + halfClose,
    "closed",
  ],
  ["a long batch, duplicate members", batch(orders(300).replace("{", '{"size":"large",')), "malformed_body"],
  ["a deep batch", batch("[".repeat(300_000) + "]".repeat(300_000)), { batch: ["invalid_order"] }],
];

/** Each kind of input by itself. */
export const hostileInputs: readonly Case[] = [
  ...framing,
  ...transferCodings,
  ...versions,
  ...methods,
  ...upgrades,
  ...heads,
  ...targets,
  ...connections,
  ...contents,
  ...keys,
  ...batches,
];

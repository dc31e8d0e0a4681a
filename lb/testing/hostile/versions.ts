/** Which HTTP it is, and whose: versions, Host, other protocols. */
import { bodiless, type Case, chunks, halfClose, later, order, request } from "./bytes.ts";

export const versions: Case[] = [
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
  ["a Host with an apostrophe and an escape", request({ host: "it's%41" }), "accepted"],
  ...["a:b:c", "a:8o", "a:-1", "::1", "[::1", "[::1]x", "[]", "a]", "%", "a%zz"].map(
    (host): Case => [`a Host ${host}`, request({ host }), "malformed_request"],
  ),
  ["HTTP/1.0 with Host", request({ version: "HTTP/1.0" }), "accepted"],
  ["HTTP/1.0 without Host", request({ version: "HTTP/1.0", host: undefined }), "accepted"],
  ...["GET", "HEAD", "DELETE"].map(
    (method): Case => [
      `HTTP/1.0 that has a body with ${method}`,
      request({ method, version: "HTTP/1.0" }),
      { own: 413 },
    ],
  ),
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
  [
    "HTTP/1.0 that expects 100-continue",
    request({
      version: "HTTP/1.0",
      lines: ["Expect: 100-continue"],
      length: order().length,
      body: `${later}${order()}`,
    }),
    "accepted",
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
  [
    "a PROXY head of version 2",
    `\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c${"\x01".repeat(12)}${request()}`,
    { own: 400 },
  ],
  ["a PROXY line", `PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n${request()}`, { own: 400 }],
];

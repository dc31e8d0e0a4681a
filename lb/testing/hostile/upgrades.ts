/** Wishes about the connection: Upgrade, Expect, Connection. */
import { bodiless, type Case, chunked, chunks, many, order, request } from "./bytes.ts";

export const upgrades: Case[] = [
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
  [
    "Expect: 100-continue and nothing after",
    request({ lines: ["Expect: 100-continue"], length: 50, body: "" }),
    "body_timeout",
  ],
  ["Expect: 100-continue in capitals", request({ lines: ["Expect: 100-CONTINUE"] }), "accepted"],
  [
    "Expect: 100-continue, chunked",
    chunked(chunks(order()), { lines: ["Expect: 100-continue"] }),
    "accepted",
  ],
  ["Expect: 100-continue, twice", request({ lines: many(2, "Expect: 100-continue") }), "accepted"],
  ...["/openapi.json", "/orders/00000000-0000-4000-8000-000000000000"].map(
    (target): Case => [
      `Expect: 100-continue, GET ${target}`,
      bodiless("GET", target, { lines: ["Expect: 100-continue"] }),
      target.startsWith("/orders/") ? "not_found" : { status: 200 },
    ],
  ),
  ["Expect: something else", request({ lines: ["Expect: 200-maybe"] }), "accepted"],
  ["Connection that names Content-Length", request({ lines: ["Connection: Content-Length"] }), "accepted"],
  [
    "Connection that names the key",
    request({ lines: ["Connection: Idempotency-Key", 'Idempotency-Key: "CASE"'] }),
    "accepted",
  ],
  ["TE: trailers", request({ lines: ["TE: trailers"] }), "accepted"],
];

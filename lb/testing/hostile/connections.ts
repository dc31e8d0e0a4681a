/** Several requests on one connection, and clients that end their side. */
import {
  batch,
  type Case,
  chunks,
  codings,
  halfClose,
  keyed,
  many,
  order,
  orders,
  request,
} from "./bytes.ts";

export const connections: Case[] = [
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
  [
    "smuggled: chunks, then a length",
    request({
      lines: ["Transfer-Encoding: chunked"],
      length: 4,
      body: chunks(order()) + request({ body: order(1) }),
    }),
    "accepted",
  ],
  [
    "smuggled: chunks by a name that is none",
    request({ lines: ["Transfer_Encoding: chunked"], body: `0\r\n\r\n${request({ body: order(1) })}` }),
    "malformed_body",
  ],
  [
    "fifty in a row",
    many(50, "")
      .map((_, n) => request({ body: order(n) }))
      .join(""),
    ...many(50, "accepted" as const),
  ],
  ["smuggled: in a body that is a request", request({ body: request({ body: order(1) }) }), "malformed_body"],
  [
    "in a row after a look-up with a length of zeros",
    request({ method: "GET", target: "/openapi.json", length: "0".repeat(30), body: "" }) +
      request({ body: order(1) }),
    { status: 200 },
    "accepted",
  ],
  ["half closed after the request", request() + halfClose, "accepted"],
  ["half closed after a chunked one", codings("chunked") + halfClose, "accepted"],
  ["half closed after a batch", batch(orders(2)) + halfClose, { batch: many(2, "accepted") }],
];

/** Batches: how many, how long, in chunks, broken off. */
import {
  batch,
  type Case,
  chunked,
  chunks,
  halfClose,
  later,
  many,
  order,
  orders,
  request,
} from "./bytes.ts";

/** So many members, each of another name. */
const members = (count: number) => Object.fromEntries(many(count, 0).map((_, n) => [`k${n}`, n]));
export const batches: Case[] = [
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
    "a long batch, chunked, in HTTP/1.0",
    chunked(chunks(orders(300), { size: 1_000 }), { target: "/orders/batch", version: "HTTP/1.0" }),
    "connection_lost",
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
    "connection_lost",
  ],
  [
    "a long batch whose last chunk is malformed, later",
    chunked(chunks(orders(300), { size: 1_000 }).replace(/0\r\n\r\n$/, `${later}zz\r\n\r\n`), {
      target: "/orders/batch",
    }),
    "connection_lost",
  ],
  [
    "a long batch whose first chunk is malformed",
    chunked(chunks(orders(300), { size: 1_000 }).replace(/^3e8/, "zz"), { target: "/orders/batch" }),
    { own: 400 },
  ],
  [
    "a long batch whose trailers are malformed",
    chunked(chunks(orders(300), { size: 1_000, trailers: "no field\r\n" }), { target: "/orders/batch" }),
    "connection_lost",
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
  ["a batch of 1,000 that are none", batch(`[${many(1_000, 0)}]`), { batch: many(1_000, "invalid_order") }],
  ["a batch that is like an array", batch(`{"0":${order("0.0")},"length":1}`), "invalid_order"],
  [
    "a batch with as many different names as its orders may have",
    batch(`[${order("0.0", members(4_085))}]`),
    { batch: ["invalid_order"] },
  ],
  [
    "a batch with more different names",
    batch(`[${order("0.0")},${JSON.stringify(members(4_200))}]`),
    "malformed_body",
  ],
  [
    "a batch with more different texts",
    batch(`[${order("0.0")},${JSON.stringify(Object.keys(members(4_200)))}]`),
    "malformed_body",
  ],
  ["a batch in a batch", batch(`[${orders(1)}]`), { batch: ["invalid_order"] }],
  ["a batch with a gap", batch("[,]"), "malformed_body"],
  ["a long batch of 0", batch(`[${" ".repeat(20_000)}]`), "invalid_order"],
  ["a long batch that is one word", batch("x".repeat(20_000)), "malformed_body"],
  ["a long batch that is malformed at its end", batch(orders(300).replace(/]$/, ",]")), "malformed_body"],
  [
    "a long batch of another media type",
    batch(orders(300), { type: "text/plain" }),
    "unsupported_media_type",
  ],
  [
    "a long batch with a malformed key",
    batch(orders(300), { lines: ['Idempotency-Key: "CASE'] }),
    "malformed_key",
  ],
  ["a deep batch", batch("[".repeat(300_000) + "]".repeat(300_000)), { batch: ["invalid_order"] }],
];

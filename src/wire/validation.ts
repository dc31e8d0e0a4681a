/** Turns bytes into an order or a list of faults, at both tiers' doors, by the one schema of `order.ts`. */
import { Type } from "@sinclair/typebox";
import { TypeCompiler, type ValueError, ValueErrorType } from "@sinclair/typebox/compiler";
import { type Order, orderSchema } from "../order.ts";
import { uuid } from "./order-id.ts";
import { expectedOf } from "./words.ts";

/** One fault of a document: where (JSON Pointer, RFC 6901; "" is the whole document) and what was expected. */
export type Fault = { pointer: string; detail: string };

/** An order as it travels on the topic: with its id and the time at which the producer took it in (RFC 3339). */
export type PlacedOrder = Order & { id: string; placedAt: string };

const orders = TypeCompiler.Compile(orderSchema);
const added = Type.Object({
  id: Type.String({ pattern: uuid.source }),
  placedAt: Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$" }),
});
const placed = TypeCompiler.Compile(Type.Composite([orderSchema, added], { additionalProperties: false }));
const utf8 = new TextDecoder("utf-8", { fatal: true });
const maxFaults = 20;
/** What JSON.parse took beyond what honest texts of that length need, since unused strings were last collected. */
let excessMs = 0;

/** JSON in UTF-8 (RFC 8259, section 8.1) to a value. @throws Error that says why it is not JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) throw new Error("the body is empty; send one JSON document");
  const startMs = performance.now();
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    // The decoder's is a TypeError; the parser's a SyntaxError, or a RangeError for what is too deep.
    const is = cause instanceof TypeError ? "not UTF-8" : `not JSON: ${(cause as Error).message}`;
    throw new Error(`the body is ${is}`, { cause });
  } finally {
    excessMs += Math.max(0, performance.now() - startMs - 1 - bytes.byteLength / 50_000);
    if (excessMs > 100) Bun.gc(true);
    excessMs %= 100;
  }
}

/** Every fault that keeps a value from being an order; none if it is one. */
export const orderFaults = (value: unknown) => (orders.Check(value) ? [] : faults(orders.Errors(value)));

/**
 * A record's value to the order in it. A producer took it in, and may be of a later version: what this one does not know of
 * it is no fault here, and stays in the order. @throws Error that names every fault, for the reason of a dead letter
 */
export function decodePlacedOrder(value: Uint8Array | null): PlacedOrder {
  const document = parseJson(value ?? new Uint8Array());
  if (placed.Check(document)) return document;
  const isUnknownMember = ({ type }: ValueError) => type === ValueErrorType.ObjectAdditionalProperties;
  if (Iterator.from(placed.Errors(document)).every(isUnknownMember)) return document as PlacedOrder;
  const found = faults(placed.Errors(document)).map((one) => `${one.pointer || "/"} ${one.detail}`);
  throw new Error(`not an order: ${found.join("; ")}`);
}

/** The first fault of each place, bounded: what follows at the same place only repeats it. */
function faults(errors: Iterable<ValueError>): Fault[] {
  const found = new Map<string, Fault>();
  for (const { path: pointer, message, schema } of errors) {
    if (found.size === maxFaults) break;
    const expected = expectedOf(schema);
    const detail = expected ? `Expected ${expected}` : message;
    if (!found.has(pointer)) found.set(pointer, { pointer, detail });
  }
  return [...found.values()];
}

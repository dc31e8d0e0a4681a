/**
 * The identity of an order: the same customer and idempotency key give the same id in every producer and on
 * every try, which is what makes each retry and each replay safe.
 */
import { hash } from "node:crypto";

/**
 * UUIDv8 of SHA-256 over customer and key (RFC 9562, section 5.8 and appendix B.2). The customer is preceded by
 * its length, so that no two pairs run together.
 */
export function orderId(customer: string, idempotencyKey: string): string {
  const hex = hash("sha256", `${customer.length}:${customer}${idempotencyKey}`, "hex");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Whether a text has the form of a UUID (RFC 9562, section 4), as every order id has. */
export const isUuid = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text);

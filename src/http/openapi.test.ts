import { expect, test } from "bun:test";
import { orderSchema } from "../order.ts";
import { outcomes } from "../outcomes.ts";
import { openApi } from "./server.ts";

// As a client receives it.
const document = JSON.parse(JSON.stringify(openApi));

/** Every value of a member of this name, anywhere. */
function all(name: string, value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [
    ...(key === name ? [item] : []),
    ...all(name, item),
  ]);
}

test("every reference leads somewhere", () => {
  const references = all("$ref", document) as string[];
  expect(references.length).toBeGreaterThan(5);
  for (const reference of references) {
    const path = reference.replace(/^#\//, "").split("/");
    const found = path.reduce<unknown>((value, name) => (value as Record<string, unknown>)?.[name], document);
    expect({ reference, found: typeof found }).toEqual({ reference, found: "object" });
  }
});

test("an order is described by the schema that validates it", () => {
  expect(document.components.schemas.Order).toEqual(JSON.parse(JSON.stringify(orderSchema)));
});

test("every outcome that an order can have is documented, with its status and its fate", () => {
  const responses = document.paths["/orders"].post.responses as Record<string, { description: string }>;
  // These two are the answers to requests for something else.
  const elsewhere = ["not_found", "method_not_allowed", "ledger_unavailable", "accepted"];
  for (const [name, { status, fate }] of Object.entries(outcomes))
    if (!elsewhere.includes(name)) expect(responses[status]?.description).toContain(`${name} (${fate})`);
  expect(responses["202"]).toBeDefined();
});

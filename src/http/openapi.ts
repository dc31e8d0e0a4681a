/**
 * The HTTP interface as an OpenAPI 3.1 document, as `bun run client:types` has written it, with the order as it is validated; and
 * as a page to read, for operators, by the balancer's port of theirs. All of that is served from here, by Swagger UI's own files,
 * read when they are asked for; nothing is sent from it, and nothing fetched from elsewhere.
 */
import type { Hono } from "hono";
import { orderSchema as Order } from "../order.ts";
import document from "./openapi.json" with { type: "json" };

/** The document. Its paths are those that pass the balancer. */
export const openApi = { ...document, components: { schemas: { ...document.components.schemas, Order } } };

export function addDescription(app: Hono): void {
  app.get("/openapi.json", (c) => c.json(openApi));
  app.get("/api", () => new Response(Bun.file(`${import.meta.dir}/api.html`)));
  for (const file of ["swagger-ui.css", "swagger-ui-bundle.js"])
    app.get(`/api/${file}`, () => {
      return new Response(Bun.file(new URL(import.meta.resolve(`swagger-ui-dist/${file}`))));
    });
}

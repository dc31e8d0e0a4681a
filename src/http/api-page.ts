/**
 * The interface as a page to read, of /openapi.json: for operators, by the balancer's port of theirs. All of it is served from
 * here, by Swagger UI's own files, read when they are asked for; nothing is sent from it, and nothing fetched from elsewhere.
 */
import { fileURLToPath } from "node:url";
import type { Hono } from "hono";

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Coffee Orders</title>
<link rel="stylesheet" href="/api/swagger-ui.css"><div id="api"></div>
<script src="/api/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", supportedSubmitMethods: [], validatorUrl: null })</script></html>`;

/** Adds GET /api and its two files. */
export function addApiPage(app: Hono): void {
  app.get("/api", (c) => c.html(page));
  for (const file of ["swagger-ui.css", "swagger-ui-bundle.js"])
    app.get(`/api/${file}`, () => {
      const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${file}`));
      return new Response(Bun.file(path));
    });
}

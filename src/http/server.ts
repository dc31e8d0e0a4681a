/** The HTTP side that both tiers share: an instance's own paths, its errors, and the listening socket. */
import { Hono } from "hono";
import type { Registry } from "prom-client";
import { ConfigError } from "../config.ts";
import { orderSchema as Order } from "../order.ts";
import { OutcomeError, problemResponse } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";
import { gaugeOfNow } from "../runtime/metrics.ts";
import document from "./openapi.json" with { type: "json" };

/** The interface as an OpenAPI 3.1 document, as `bun run client:types` has written it, with the order as it is validated. */
export const openApi = { ...document, components: { schemas: { ...document.components.schemas, Order } } };

/**
 * An application with /livez, /readyz, /metrics, /openapi.json and its page, /api, whose errors are problem documents.
 * @param about.unready why no request should be sent here; undefined when ready
 */
export function createApp(log: Logger, about: { registry: Registry; unready: () => string | undefined }) {
  const { registry, unready } = about;
  const app = new Hono();
  gaugeOfNow(registry, "ready", "1 while /readyz answers 200.", () => (unready() === undefined ? 1 : 0));
  app.get("/livez", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => {
    const reason = unready();
    return reason === undefined ? c.text("ready\n") : c.text(`${reason}\n`, 503);
  });
  app.get("/metrics", async (c) =>
    c.body(await registry.metrics(), 200, { "content-type": registry.contentType }),
  );
  app.get("/openapi.json", (c) => c.json(openApi));
  // A page to read, for operators, by the balancer's port of theirs. All of it is served from here, by Swagger UI's own files,
  // read when they are asked for; nothing is sent from it, and nothing fetched from elsewhere.
  app.get("/api", () => new Response(Bun.file(`${import.meta.dir}/api.html`)));
  for (const file of ["swagger-ui.css", "swagger-ui-bundle.js"])
    app.get(`/api/${file}`, () => {
      return new Response(Bun.file(new URL(import.meta.resolve(`swagger-ui-dist/${file}`))));
    });
  app.notFound(({ req }) =>
    problemResponse(new OutcomeError("not_found", `${req.method} ${req.path} is not served here`)),
  );
  app.onError((error, c) => errorResponse(error, log, c.req.method));
  return app;
}

/** The answer to a request that failed: by the table, or as the defect that anything else is. A look-up has no fate. */
export function errorResponse(error: unknown, log: Logger, method: string): Response {
  if (error instanceof OutcomeError) return problemResponse(error);
  log.error({ err: error }, "unexpected error while answering");
  const asked = method === "GET";
  const detail = `unexpected error; ${asked ? "ask again" : "send it again with the same Idempotency-Key"}`;
  return problemResponse(new OutcomeError("internal_error", detail, asked ? { fate: undefined } : {}));
}

/**
 * A request as Hono reads it: Bun's URL is a path without a Host (HTTP/1.0), and none with a malformed one. HEAD is answered as GET
 * is (RFC 9110, 9.3.2): Bun leaves the body out, and keeps its length.
 */
function readable(request: Request): Request {
  const { url, method, headers, signal } = request;
  if (method !== "HEAD" && !url.startsWith("/")) return request;
  const href = url.replace(/^(https?:\/\/[^/]*)?/, "http://localhost");
  return new Request(href, method === "HEAD" ? { method: "GET", headers, signal } : request);
}

/**
 * Listens; port 0 takes any free one. Connections outlive the balancer's idle pool (see lb/haproxy.cfg).
 * @param routes what Bun's own router calls, past `app`. @throws ConfigError when the address is taken or not this machine's
 */
export function serve(
  app: Hono,
  { HTTP_HOST: hostname, HTTP_PORT: port }: { HTTP_HOST: string; HTTP_PORT: number },
  log: Logger,
  routes: Record<string, Record<"POST", (request: Request) => Promise<Response>>> = {},
) {
  try {
    const server = Bun.serve({
      hostname,
      port,
      // Seconds. The balancer closes idle connections first, so that it never sends into a closing one.
      idleTimeout: 120,
      // Above every bound of the tiers: they answer with a problem document, Bun would answer with none.
      maxRequestBodySize: 64 * 1024 * 1024,
      routes,
      fetch: (request) => app.fetch(readable(request)),
    });
    log.info({ url: server.url.href }, "listening");
    return {
      /** Takes no more connections, lets what is being answered finish, then closes the idle ones. */
      async stop(): Promise<void> {
        // Answers are complete when a tier stops: what is left is connections that the balancer keeps open.
        await Promise.race([server.stop(), Bun.sleep(1_000)]);
        await server.stop(true);
      },
    };
  } catch (error) {
    const why = `cannot listen on ${hostname}:${port}: ${(error as Error).message}`;
    throw new ConfigError(`${why}\nset HTTP_HOST or HTTP_PORT to a free address`);
  }
}

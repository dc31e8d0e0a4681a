/**
 * The door of the stage: a page, a stream of its state, and actions. For this machine alone, and for who has the link:
 * - it listens on the loopback address, and answers to its own names only, so that no foreign name can be made to lead
 *   here (DNS rebinding);
 * - the token of the printed link becomes a cookie that no other site's request carries;
 * - nothing is done by GET, and what is done comes from the page itself (Origin) and as JSON;
 * - the page may load and run nothing but what is served here.
 */
import { timingSafeEqual } from "node:crypto";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { type Asset, bundle } from "../page/bundle.ts";
import type { Command } from "./commands.ts";
import type { Message } from "./pages.ts";
import { Refused } from "./refused.ts";
import type { Stage } from "./stage.ts";

/** Messages that a page may be behind before it is hung up on: it comes back and begins with the whole. */
const mostBehind = 50;
/** An order of the longest that a producer takes (8 KB), as JSON in JSON. */
const mostBodyLength = 20_000;

export interface Door {
  /** Known once it listens. */
  port(): number;
  token: string;
}

const headers: Record<string, string> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** The routes of a stage behind its door. @param assets by path */
export function createApp(stage: Stage, { port, token }: Door, assets: ReadonlyMap<string, Asset>): Hono {
  const app = new Hono();
  // Browsers leave HTTP's own port out.
  const isHost = (host: string | undefined) =>
    ["127.0.0.1", "localhost"].some(
      (name) => host === `${name}:${port()}` || (host === name && port() === 80),
    );
  // Browsers keep cookies by name, not by port.
  const cookie = () => `stage-${port()}`;
  const expected = Buffer.from(token);
  const isToken = (text = "") => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  };

  const guard: MiddlewareHandler = async (c, next) => {
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    if (!isHost(c.req.header("host"))) return c.text("This is not the name of this stage.\n", 421);
    if (c.req.path === "/" && isToken(c.req.query("token"))) {
      setCookie(c, cookie(), token, { httpOnly: true, sameSite: "Strict", path: "/" });
      // Not by a redirect: of a link on another site's page that is still a request of that site, without the cookie.
      c.header("refresh", "0;url=/");
      return c.html("");
    }
    if (!isToken(getCookie(c, cookie())))
      return c.text("Open the link that the stage printed: it has the token.\n", 401);
    await next();
  };
  app.use(guard);

  app.get("/events", (c) => stream(c, stage));
  app.get("/state", (c) => c.json(stage.state()));
  app.get("/past", (c) =>
    c.body(stage.past(Number(c.req.query("at"))) ?? "null", 200, { "content-type": "application/json" }),
  );
  app.get("/order", async (c) => {
    const id = stage.oneOrder.idOf(c.req.query());
    if (id === undefined) return c.json({ error: "an order is found by id, or by customer and key" }, 400);
    try {
      return c.json(await stage.oneOrder.find(id));
    } catch (error) {
      return c.json({ error: `the ledger can't be read: ${(error as Error).message}` }, 503);
    }
  });
  const looked = async (c: Context, look: Promise<object>) => {
    try {
      return c.json(await look);
    } catch (error) {
      return c.json({ error: (error as Error).message }, 503);
    }
  };
  app.get("/letters", (c) => looked(c, stage.letters.list(c.req.query())));
  app.get("/letters/one", (c) => looked(c, stage.letters.show(c.req.query("letter") ?? "")));
  app.get("/letters/plan", (c) => looked(c, stage.letters.plan(c.req.query())));
  app.get("/export", async (c) => {
    const name = `coffee-orders-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.html`;
    c.header("content-disposition", `attachment; filename="${name}"`);
    return c.html(await stage.export());
  });
  app.post("/actions", async (c) => {
    const [scheme, host] = c.req.header("origin")?.split("://") ?? [];
    if (scheme !== "http" || !isHost(host)) return c.json({ error: "only the page itself may do that" }, 403);
    if (!/^application\/json\b/.test(c.req.header("content-type") ?? ""))
      return c.json({ error: "an action is JSON" }, 415);
    const body = await c.req.text();
    if (body.length > mostBodyLength)
      return c.json({ error: `an action has at most ${mostBodyLength} characters` }, 413);
    const command = commandIn(body);
    if (!command) return c.json({ error: "this is no action" }, 400);
    try {
      const result = await stage.act(command);
      return c.json(command.do === "place" ? { id: result } : { command: result ?? null });
    } catch (error) {
      return c.json({ error: (error as Error).message }, error instanceof Refused ? 409 : 500);
    }
  });
  app.get("*", (c) => {
    const asset = assets.get(c.req.path);
    return asset ? c.body(asset.text, 200, { "content-type": asset.type }) : c.text("not found\n", 404);
  });
  return app;
}

/** Starts it, on any free port with 0. @throws Error when the port is taken; @returns the address with its token */
export async function serveStage(stage: Stage, { port, token }: { port: number; token: string }) {
  const app = createApp(stage, { port: () => server.port ?? port, token }, await bundle());
  const server: Bun.Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port,
    // A stream is silent while nothing changes.
    idleTimeout: 0,
    maxRequestBodySize: 64 * 1_024,
    fetch: (request) => app.fetch(request),
  });
  return {
    url: `http://127.0.0.1:${server.port}/?token=${token}`,
    port: server.port ?? port,
    stop: (): Promise<void> => server.stop(true),
  };
}

/** The last message as it is sent: all pages are sent the same, one after another. */
let last: { message: Message; bytes: Uint8Array } | undefined;
const encoder = new TextEncoder();
function bytesOf(message: Message): Uint8Array {
  if (last?.message !== message) {
    const text = `event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`;
    last = { message, bytes: encoder.encode(text) };
  }
  return last.bytes;
}

function stream(c: Context, stage: Stage): Response {
  // By HEAD nobody looks: a page that nobody ends would keep what was struck from being healed.
  if (c.req.method === "HEAD") return c.body(null, 200, { "content-type": "text/event-stream" });
  let detach = () => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        detach = stage.attach((message: Message) => {
          if ((controller.desiredSize ?? 0) < -mostBehind) {
            detach();
            // Closed, it would keep all of that for as long as nobody reads it.
            controller.error();
          } else controller.enqueue(bytesOf(message));
        });
      },
      cancel: () => detach(),
    },
    new CountQueuingStrategy({ highWaterMark: 1 }),
  );
  c.header("content-type", "text/event-stream");
  return c.body(body);
}

/** An action of the closed set, each member of the type that it has to be. */
function commandIn(body: string): Command | undefined {
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(body);
  } catch {
    return undefined;
  }
  const members = shapes[String(given?.do)];
  if (members === undefined || !Object.hasOwn(shapes, String(given.do))) return undefined;
  const fits = Object.entries(given).every(
    ([name, value]) =>
      name === "do" || (Object.hasOwn(members, name) && typeof value === members[name]?.replace("?", "")),
  );
  const isWhole = Object.entries(members).every(([name, type]) => type.endsWith("?") || name in given);
  return fits && isWhole ? (given as unknown as Command) : undefined;
}

const shapes: Record<string, Record<string, string>> = {
  strike: { fault: "string", target: "string", from: "string?", unguarded: "boolean?" },
  heal: { target: "string" },
  "heal-all": {},
  restart: { tier: "string" },
  scale: { tier: "string", count: "number" },
  load: { ratePerS: "number?", paused: "boolean?", mix: "string?" },
  burst: { orders: "number" },
  profile: { name: "string" },
  "stop-profile": {},
  place: { order: "string" },
  redrive: {
    ...{ letter: "string?", after: "string?" },
    ...{ reason: "string?", order: "string?", customer: "string?", since: "string?" },
  },
};

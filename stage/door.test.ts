// The door of the stage: who is let in, and what no one is.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createApp } from "./server.ts";
import { openStage, type Stage } from "./stage.ts";
import { createFeed } from "./testing/feed.ts";

const host = "127.0.0.1:8088";
const origin = `http://${host}`;
const token = "the-token";
const cookie = `stage-8088=${token}`;
const door = { port: () => 8088, token };
const assets = new Map([["/", { type: "text/html", text: "the page" }]]);

let stage: Stage;
let app: ReturnType<typeof createApp>;
beforeAll(() => {
  stage = openStage(createFeed(0).source);
  app = createApp(stage, door, assets);
});
afterAll(() => stage.close());

const get = (path: string, headers: Record<string, string> = {}) =>
  app.request(path, { headers: { host, ...headers } });
const post = (body: unknown, headers: Record<string, string> = {}, to = app) =>
  to.request("/actions", {
    method: "POST",
    headers: { host, cookie, origin, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

test("the link lets in once and leaves a cookie that other sites can't use", async () => {
  const answer = await get(`/?token=${token}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("refresh")).toBe("0;url=/");
  expect(await answer.text()).toBe("");
  expect(answer.headers.get("set-cookie")).toMatch(/^stage-8088=the-token;.*HttpOnly.*SameSite=Strict/);
  expect(await (await get("/", { cookie })).text()).toBe("the page");
});

test.each([
  "/",
  "/state",
  "/events",
  "/stage.js",
  "/letters",
  "/past?at=1",
  "/?token=another",
  "/?token=thé-token",
])("%s without the token: 401", async (path) => {
  expect((await get(path)).status).toBe(401);
  expect((await get(path, { cookie: "stage-8088=another-one" })).status).toBe(401);
});

test.each(["evil.example", "evil.example:8088", "127.0.0.1", "127.0.0.1:80", ""])(
  "under the name %p it answers nobody, whoever has the token",
  async (name) => {
    for (const path of ["/state", `/?token=${token}`])
      expect((await get(path, { host: name, cookie })).status).toBe(421);
  },
);

test("at HTTP's own port it answers to its names without one, as browsers write them", async () => {
  const to = createApp(stage, { port: () => 80, token }, assets);
  const headers = { host: "127.0.0.1", cookie: `stage-80=${token}` };
  expect((await to.request("/state", { headers })).status).toBe(200);
  expect((await to.request("/state", { headers: { ...headers, host: "evil.example" } })).status).toBe(421);
});

test("what is served may load and run nothing from elsewhere", async () => {
  const policy = (await get("/", { cookie })).headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain("unsafe");
});

test("nothing is done by GET, from elsewhere, or as another type", async () => {
  const heal = { do: "heal-all" };
  expect((await get("/actions", { cookie })).status).toBe(404);
  for (const from of ["http://evil.example", "https://127.0.0.1:8088", "null", ""])
    expect((await post(heal, { origin: from })).status).toBe(403);
  expect((await post(heal, { "content-type": "text/plain" })).status).toBe(415);
  expect((await post(heal, { cookie: "" })).status).toBe(401);
  expect((await post(heal)).status).toBe(200);
});

test.each([
  "no JSON",
  "null",
  { do: "exec", command: "rm" },
  { do: "constructor" },
  { do: "strike", fault: "kill" },
  { do: "strike", fault: "kill", target: 1 },
  { do: "strike", fault: "kill", target: "kafka1", more: "x" },
  { do: "scale", tier: "producer", count: "3" },
  { do: "redrive", argv: "--all" },
])("%j is no action: 400", async (body) => {
  expect((await post(body)).status).toBe(400);
});

test("by HEAD nobody looks, so that nobody is thought to", async () => {
  const { source } = createFeed(0);
  let pages = 0;
  const own = openStage(source);
  const counted = {
    ...own,
    attach: (...page: Parameters<Stage["attach"]>) => {
      pages += 1;
      return own.attach(...page);
    },
  };
  const to = createApp(counted, door, assets);
  const look = (method: string) => to.request("/events", { method, headers: { host, cookie } });
  expect((await look("HEAD")).headers.get("content-type")).toBe("text/event-stream");
  expect(pages).toBe(0);
  await (await look("GET")).body?.cancel();
  expect(pages).toBe(1);
  await own.close();
});

test("what is longer than any action is none, and the longest order is not", async () => {
  expect((await post({ do: "heal", target: "x".repeat(20_000) })).status).toBe(413);
  const refused = await post({ do: "load", mix: '"'.repeat(8_000) });
  expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining("no mix")]);
});

test.each([
  [{ do: "strike", fault: "kill", target: "__proto__" }, "there is no __proto__"],
  [{ do: "strike", fault: "kill", target: "kafka1" }, "kill is no fault of a broker"],
  [{ do: "scale", tier: "broker", count: 3 }, "can't be scaled"],
  [{ do: "restart", tier: "broker" }, "can't be restarted one by one"],
  [{ do: "load", ratePerS: -1 }, "a whole number"],
  [{ do: "load", mix: "all" }, "there is no mix all"],
  [{ do: "burst", orders: 1e9 }, "a whole number"],
  [{ do: "profile", name: "soak" }, "there is no profile soak"],
  [{ do: "redrive" }, "look at the plan"],
])("%j is refused, with the reason: 409", async (body, reason) => {
  const answer = await post(body);
  expect(answer.status).toBe(409);
  expect(await answer.text()).toContain(reason);
});

test("a stage for showing does nothing", async () => {
  const shown = openStage(createFeed(0).source, { readOnly: true });
  const to = createApp(shown, door, assets);
  for (const action of [{ do: "load", paused: false }, { do: "redrive" }, { do: "heal-all" }])
    expect(await (await post(action, {}, to)).text()).toContain("for showing");
  expect(shown.state().load.paused).toBe(true);
  await shown.close();
});

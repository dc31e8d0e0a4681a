import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { createLogger } from "../runtime/log.ts";
import { createApp } from "./server.ts";

const log = createLogger("producer", { LOG_LEVEL: "fatal", INSTANCE: "test" });

test("a defect is answered as unknown, and tells nothing of itself", async () => {
  const app = createApp(log, { registry: new Registry(), unready: () => undefined });
  app.post("/defect", () => {
    throw new Error("a secret");
  });
  const answer = await app.request("/defect", { method: "POST" });
  expect(answer.status).toBe(500);
  const said = await answer.text();
  expect(JSON.parse(said)).toMatchObject({
    type: "urn:problem-type:coffee-orders:internal_error",
    fate: "unknown",
  });
  expect(said).not.toContain("secret");
});

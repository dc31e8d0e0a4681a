// Who is not admitted is told why, and soon: waiting mends no password.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { startRefusingBroker } from "../testing/refusing-broker.ts";

test("a wrong password ends it at once, with the brokers' words", async () => {
  using broker = startRefusingBroker("PLAIN");
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "topics.ts")], {
    env: {
      KAFKA_BROKERS: broker.bootstrap,
      KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
      KAFKA_SASL_USERNAME: "topics",
      KAFKA_SASL_PASSWORD: "wrong",
    },
    stdout: "ignore",
    stderr: "pipe",
  });
  expect(await new Response(child.stderr).text()).toContain("Invalid username or password");
  expect(await child.exited).toBe(1);
  // Brokers that are only starting are waited for two minutes.
}, 180_000);

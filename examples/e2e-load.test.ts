// The load on somebody else's orders: k6 sends parcels to their tiers, and its record is held against their ledger.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { must } from "../kit/capture.ts";
import { freePorts } from "../kit/ports.ts";
import { takeOver } from "../proof/testing/taken-over.ts";
import { startOrdersCluster } from "../testing/kafka.ts";
import { startPostgres } from "../testing/postgres.ts";
import { startTier } from "../testing/tier-process.ts";

test("parcels are loaded, and each is handled once", async () => {
  using taken = takeOver("parcels");
  const { tree } = taken;
  using cluster = startOrdersCluster();
  using postgres = startPostgres();
  const env = { ...cluster.env, LEDGER_URL: postgres.url, SESSION_TIMEOUT_MS: "6000" };
  const { HTTP_PORT = "" } = await freePorts(["HTTP_PORT"]);
  await using producer = startTier("producer", { ...env, HTTP_PORT }, tree);
  await using consumer = startTier("consumer", env, tree);
  await Promise.all([producer.ready(), consumer.ready()]);
  const to = ["--url", `http://127.0.0.1:${HTTP_PORT}`, "--ledger", postgres.url];
  const argv = [
    process.execPath,
    join(tree, "proof/load/main.ts"),
    "--rate",
    "50",
    "--duration",
    "5s",
    ...to,
  ];
  const said = await must(argv, { cwd: tree, limitMs: 90_000 });
  expect(said).toMatch(/\naccepted \d+, not accepted 0, handled \d+, redelivered \d+, labels \d+, lost 0$/);
}, 120_000);

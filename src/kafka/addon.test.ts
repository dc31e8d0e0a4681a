/** A tree whose addon is missing, or is another Bun's: every entry says so in one message, and nothing else. */
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { library } from "./addon.ts";

const root = join(import.meta.dir, "..", "..");
const packages = join(root, "node_modules");
const folder = mkdtempSync(join(tmpdir(), "coffee-orders-addon-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The project, but for the addon. */
for (const part of ["src", "ops", "kit", "producer.ts", "consumer.ts", "package.json"])
  cpSync(join(root, part), join(folder, part), { recursive: true });
mkdirSync(join(folder, "node_modules"));
for (const name of new Bun.Glob("*").scanSync({ cwd: packages, onlyFiles: false }))
  if (name !== "node-rdkafka") symlinkSync(join(packages, name), join(folder, "node_modules", name));
const whole = (path: string) => !path.includes("/build") && !path.includes("/deps");
cpSync(join(packages, "node-rdkafka"), join(folder, "node_modules", "node-rdkafka"), {
  recursive: true,
  filter: whole,
});

const entries = ["producer.ts", "consumer.ts", "ops/topics.ts"];

async function start(entry: string) {
  const child = Bun.spawn([process.execPath, entry], {
    cwd: folder,
    env: { KAFKA_BROKERS: "127.0.0.1:1", HTTP_PORT: "0", LEDGER_URL: "sqlite:ledger.sqlite" },
    stdin: "ignore",
    stderr: "pipe",
    timeout: 20_000,
  });
  const [exitCode, said] = await Promise.all([child.exited, child.stderr.text()]);
  return { exitCode, said };
}

describe("an entry without its addon ends with what to do", () => {
  test.each(entries)("where it was never built: %s", async (entry) => {
    expect(await start(entry)).toEqual({
      exitCode: 1,
      said: "node-rdkafka has not been built here for Bun: run «bun run native»; «make setup» brings a compiler first\n",
    });
  });

  test.each(entries)("where it was built for another Bun: %s", async (entry) => {
    const release = dirname(library.replace(root, folder));
    mkdirSync(release, { recursive: true });
    // It would crash: nothing must load it.
    writeFileSync(join(release, "node-librdkafka.node"), "no addon");
    writeFileSync(join(release, "node-librdkafka.json"), JSON.stringify({ bun: "1.0.0" }));
    expect(await start(entry)).toEqual({
      exitCode: 1,
      said: `node-rdkafka was built for Bun 1.0.0, and this is Bun ${Bun.version}: run «bun run native»; «make setup» brings a compiler first\n`,
    });
  });
});

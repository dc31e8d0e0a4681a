// A proof that is told to stop says at once what it waits for; told twice, it ends, and says what it leaves. The topology is
// a client of Docker that knows one container, whose start takes as long as the test wants.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Container, openTopology } from "../infra/topology.ts";
import { until } from "../kit/until.ts";
import { faults } from "./faults/registry.ts";
import { openSystem } from "./system/system.ts";

const container = { ID: "1", Name: "ledger", Service: "postgres", State: "exited", Health: "", ExitCode: 0 };
const config = { "x-host-ports": { LB_PORT: "127.0.0.1:1:8080" } };
const programs = {
  docker: `case "$*" in
*" config "*) echo '${JSON.stringify(config)}' ;;
compose*" ps "*) echo '${JSON.stringify(container)}' ;;
inspect*) echo exited ;;
"start "*) : > "$FOLDER/starting"; while [ -e "$FOLDER/held" ] && [ ! -e "$FOLDER/killed" ]; do sleep 0.1; done ;;
"stop "*) : > "$FOLDER/stopping"; while [ ! -e "$FOLDER/killed" ]; do sleep 0.1; done ;;
"kill "*) : > "$FOLDER/killed" ;;
*version*) echo 27.0 ;;
esac`,
  k6: "echo k6 v1.8.1",
};
const limitMs = 120_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-interrupt-"));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(join(folder, "held"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Resolves when it heals, with what it says from then on. */
async function healing() {
  const options = { project: "interrupted", rate: "1", faults: "none", out: folder };
  const argv = [
    join(import.meta.dir, "prove.ts"),
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
  ];
  const child = Bun.spawn([process.execPath, ...argv], {
    env: {
      ...process.env,
      SECURE: "",
      FOLDER: folder,
      PATH: `${folder}:${process.env.PATH}`,
      TMPDIR: folder,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let said = "";
  const reading = (async () => {
    for await (const bytes of child.stderr) said += Buffer.from(bytes).toString();
  })();
  await until("it heals", () => existsSync(join(folder, "starting")) || child.exitCode !== null, limitMs);
  return {
    interrupt: () => child.kill("SIGINT"),
    hasEnded: () => child.exitCode !== null,
    says: (words: string) => until(`it says ${words}, not only ${said}`, () => said.includes(words), limitMs),
    async end() {
      const code = await child.exited;
      await reading;
      return { code, said };
    },
  };
}

test(
  "says at once what it waits for, and ends when that is done",
  async () => {
    const proof = await healing();
    proof.interrupt();
    await proof.says("Stopping: what was struck is healed first.");
    rmSync(join(folder, "held"));
    const { code, said } = await proof.end();
    expect(code).toBe(2);
    expect(said).toEndWith("stopped by SIGINT\nNothing is proven, neither way.\n");
  },
  2 * limitMs,
);

test(
  "ends when it is told twice, and says what undoes what it leaves",
  async () => {
    const proof = await healing();
    proof.interrupt();
    await proof.says("A second Ctrl-C ends at once");
    // Nearer to each other, two signals are one.
    await until("it ends", () => {
      proof.interrupt();
      return proof.hasEnded();
    });
    const { code, said } = await proof.end();
    expect(code).toBe(130);
    expect(said).toEndWith("bun run chaos heal --project interrupted undoes what was struck.\n");
  },
  2 * limitMs,
);

test.each(["stop", "restart"] as const)("%s does not wait for a grace period any more", async (fault) => {
  const { PATH } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  process.env.FOLDER = folder;
  try {
    const system = await openSystem(openTopology({ project: "interrupted" }));
    const [one] = (await system.containers()).map((found) => ({ ...found, state: "running" as const }));
    const stopping = new AbortController();
    const injected = faults[fault].inject(system, [one as Container], { stop: stopping.signal });
    await until("it is asked to end", () => existsSync(join(folder, "stopping")));
    stopping.abort(new Error("told to stop"));
    await (fault === "stop" ? injected : expect(injected).rejects.toThrow("told to stop"));
  } finally {
    process.env.PATH = PATH;
  }
});

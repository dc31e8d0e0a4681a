// Who is there, by a client of Docker that knows one container and whose events end, as they do with their daemon.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTopology } from "../../infra/topology.ts";
import { until } from "../../kit/until.ts";
import { openContainers } from "./containers.ts";

const config = {
  name: "watched",
  "x-host-ports": { LB_PORT: "127.0.0.1:1:8080" },
  services: { postgres: { environment: { POSTGRES_USER: "u", POSTGRES_PASSWORD: "p", POSTGRES_DB: "d" } } },
};
const docker = `#!/bin/sh
case "$*" in
*" config "*) echo '${JSON.stringify(config)}' ;;
compose*" ps "*) cat "$FOLDER/containers" ;;
"events "*) echo asked >> "$FOLDER/events" ;;
esac
`;
const listed = (state: string) =>
  JSON.stringify({ ID: "1", Name: "kafka1", Service: "kafka1", State: state, Health: "", ExitCode: 0 });

const { PATH } = process.env;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-containers-"));
  writeFileSync(join(folder, "docker"), docker);
  chmodSync(join(folder, "docker"), 0o755);
  writeFileSync(join(folder, "events"), "");
  Object.assign(process.env, { PATH: `${folder}:${PATH}`, FOLDER: folder });
});
afterEach(() => {
  Object.assign(process.env, { PATH });
  delete process.env.FOLDER;
  rmSync(folder, { recursive: true });
});

test("a daemon that is started anew is listened to again, and what came meanwhile is seen", async () => {
  writeFileSync(join(folder, "containers"), listed("running"));
  const source = await openContainers(openTopology({ project: "watched" }));
  try {
    const state = async () => (await source.containers()).get("kafka1")?.state;
    expect(await state()).toBe("running");
    writeFileSync(join(folder, "containers"), listed("exited"));
    const asked = () => readFileSync(join(folder, "events"), "utf8").split("\n").length - 1;
    await until("it listens again", () => asked() > 2);
    await until("it is seen", async () => (await state()) === "exited");
  } finally {
    await source.close();
  }
}, 120_000);

// What is made of what k6 leaves behind: a stand-in for it leaves whatever a test wants, since the real one does so on a full
// disk or when the kernel kills it. The real one is in e2e-k6.test.ts.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cachePath, thisMachine } from "../../kit/machine.ts";
import { until } from "../../kit/until.ts";
import { type LoadOptions, startLoadRun } from "./run.ts";

const limitMs = 120_000;
const before = process.env.XDG_CACHE_HOME;

let folder: string;
let server: Bun.Server<undefined>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-load-test-"));
  process.env.XDG_CACHE_HOME = folder;
  mkdirSync(cachePath(thisMachine(), "bin"), { recursive: true });
  server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    async fetch(request) {
      // All of it, however long that takes.
      await request.text();
      return Response.json({ status: 202, id: "an-id" }, { status: 202 });
    },
  });
});
afterAll(async () => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  await server.stop(true);
  rmSync(folder, { recursive: true });
});

/** The load of a k6 that does this, told where its record and its summary go, and which run it is. */
function loadBy(
  script: string,
  told: (answers: readonly object[]) => void = () => undefined,
  changes: Pick<LoadOptions, "profile" | "rate"> = { profile: "smoke", rate: 5 },
) {
  const head = `#!/bin/sh
for word; do
  case $word in SUMMARY=*) summary=\${word#SUMMARY=} ;; RUN=*) run=\${word#RUN=} ;; esac
  [ "$last" = --console-output ] && record=$word
  last=$word
done
line() { echo "$run-$1 c$1 single 1 2 1 202 202 accepted an-id - - -" >>"$record"; }
sums() { echo "{\\"answered\\":$1,\\"dropped\\":0,\\"crossed\\":[]}" >"$summary"; }
`;
  writeK6(head + script);
  return startLoadRun({ url: urlOf(server), durationSeconds: 1, told, ...changes });
}

const urlOf = ({ port }: { port?: number | undefined }) => `http://127.0.0.1:${port}`;
const writeK6 = (script: string) =>
  writeFileSync(cachePath(thisMachine(), "bin", "k6"), script, { mode: 0o755 });

test(
  "a record that has as many requests as k6 had answers to is taken",
  async () => {
    const { answers, crossed, clockMovedMs } = await loadBy("line 0; line 1; sums 2").done;
    expect(answers.filter(({ sent }) => sent === "single").length).toBe(2);
    expect({ crossed, clockMovedMs }).toEqual({ crossed: [], clockMovedMs: 0 });
  },
  limitMs,
);

test.each([
  ["smoke", ["dropped in pieces: count==0"]],
  ["ramp", []],
] as const)(
  "what comes in pieces and is dropped crosses a threshold where nothing may be: %s",
  async (profile, crossed) => {
    const found = await loadBy("line 0; sums 1", undefined, { profile, rate: 400_000 }).done;
    expect(found.dropped).toBeGreaterThan(0);
    expect(found.crossed).toEqual([...crossed]);
  },
  limitMs,
);

test.each([
  ["lacks a request at its end", "line 0; line 1; sums 3", "it has 2 of 3 requests"],
  ["lacks one in between", "line 0; line 2; sums 3", "it has 2 of 3 requests"],
  ["ends in the middle of a line", 'line 0; printf "%s-1 c1" "$run" >>"$record"; sums 1', "middle of a line"],
  ["has no summary beside it", "line 0", "k6 left no summary"],
  ["was left by one that was killed", "line 0; kill -9 $$", "k6 ended with 137"],
])(
  "a record that %s is none: nothing is said of the system",
  async (_, script, why) => {
    await expect(loadBy(script).done).rejects.toThrow(why);
  },
  limitMs,
);

test(
  "also where the load was ended early",
  async () => {
    let heard = 0;
    const script = 'trap "sums 3; exit 105" TERM; line 0; line 1; while :; do sleep 0.1; done';
    const ended = loadBy(script, (some) => {
      heard += some.length;
    });
    await until("two are answered", () => heard === 2);
    await expect(ended.stop()).rejects.toThrow("it has 2 of 3 requests");
  },
  limitMs,
);

test(
  "k6 does not outlive a load that is killed",
  async () => {
    const path = join(folder, "pid");
    writeK6(`#!/bin/sh
echo $$ >${path}.new; mv ${path}.new ${path}; while :; do sleep 0.1; done`);
    const options = JSON.stringify({ url: urlOf(server), profile: "smoke", rate: 5, durationSeconds: 1 });
    const load = `import { startLoadRun } from "${join(import.meta.dir, "run.ts")}"; await startLoadRun(${options}).done`;
    const child = Bun.spawn([process.execPath, "-e", load], {
      stdin: "ignore",
      stdout: "ignore",
      env: process.env,
    });
    const isThere = () => existsSync(path);
    await until("k6 runs", isThere, limitMs);
    const pid = Number(readFileSync(path, "utf8"));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    child.kill("SIGKILL");
    await until("k6 is gone", () => !existsSync(`/proc/${pid}`) || isZombie(pid));
  },
  limitMs,
);

/** It has ended, and nobody has asked how. */
const isZombie = (pid: number) => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

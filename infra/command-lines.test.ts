// Every command says how it is used, and does nothing on a guess.
import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { capture } from "../kit/capture.ts";

const cwd = join(import.meta.dir, "..");
const commands = {
  ...{ topics: "ops/topics.ts", dead: "ops/dead/main.ts", simulate: "proof/simulation/main.ts" },
  ...{ chaos: "proof/chaos.ts", prove: "proof/prove.ts", load: "proof/load/main.ts" },
  ...{ images: "infra/images.ts", sbom: "infra/sbom/main.ts", native: "native/build.ts" },
  ...{ secrets: "infra/secure/secrets.ts" },
  ...{ dev: "proof/demo/dev.ts", stage: "stage/main.ts", bench: "bench/main.ts" },
};

/** Those that documents name by their files. */
const named = [
  ...["ops/rights.ts", "ops/ledger.ts", "ops/warm-up.ts", "bench/report.ts", "bench/failing.ts"],
  "bench/unique-members.ts",
  ...["proof/simulation/overload.ts", "proof/simulation/mutations.ts"],
  ...["stage/testing/measure.ts", "stage/testing/pictures.ts", "infra/setup/main.ts"],
];
const ofMake = {
  up: "infra/up.ts",
  down: "infra/down.ts",
  demo: "stage/demo.ts",
  test: "infra/test/main.ts",
};
const lines = [
  ...Object.entries(commands).map(([name, entry]) => [`bun run ${name}`, entry] as const),
  ...named.map((entry) => [`bun ${entry}`, entry] as const),
  ...Object.entries(ofMake).map(([name, entry]) => [`make ${name}`, entry] as const),
];
/** What each of the commands that bring things can't do. */
const unfit = {
  prove: [
    ["--faults", "x"],
    ["--suite", "x"],
    ["--rate", "0"],
    ["--duration", "-1"],
    ["--seed"],
    ["--fresh=1"],
  ],
  load: [
    ["--profile", "x"],
    ["--rate", "1.5"],
    ["--duration", "1000h"],
    ["--url", "x"],
    ["--record", ""],
  ],
  bench: [
    ["--only", "x"],
    ["--connections", "100"],
    ["--rounds", "0"],
    ["--seconds", "1", "--seconds", "2"],
  ],
  stage: [["--project", ""], ["--read-only=no"], ["now"]],
};
/** Where a word is taken for none, there is nothing to start or end containers with, and no demo. */
const env = { PATH: "/nowhere", DEMO_SECONDS: "0" };

test.each(lines)("%s", async (name, entry) => {
  const run = (word: string) => capture([process.execPath, entry, word], { limitMs: 60_000, cwd, env });
  const [helped, misspelt, empty] = await Promise.all([run("--help"), run("--hepl"), run("")]);
  expect({ code: empty.code, stdout: empty.stdout }).toEqual({ code: 2, stdout: "" });
  expect(helped).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(name) });
  expect(misspelt).toMatchObject({ code: 2, stdout: "" });
  expect(misspelt.stderr).toContain("--hepl");
  expect(misspelt.stderr).toContain(name);
});

test.each(["producer", "consumer"])("a %s takes no word: it does not start on a guess", async (tier) => {
  const argv = [process.execPath, `${tier}.ts`, "--port", "3001"];
  const { code, stderr } = await capture(argv, { limitMs: 60_000, cwd });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `--port: a ${tier} takes variables alone, which src/config.ts lists\n`,
  });
});

/** A checkout in which nothing was installed yet. */
function checkedOut() {
  const tree = mkdtempSync(join(tmpdir(), "coffee-orders-bare-"));
  const left = /^(node_modules|\.git|out)$/;
  cpSync(cwd, tree, { recursive: true, filter: (path) => !left.test(relative(cwd, path)) });
  return tree;
}

test("the first command of a checkout goes on with the packages that it brought", async () => {
  const tree = checkedOut();
  try {
    const variables = {
      DEMO_SECONDS: "1",
      DEMO_RATE: "20",
      LB_PORT: "0",
      LB_STATS_PORT: "0",
      STAGE_PORT: "0",
    };
    const { code, stdout, stderr } = await capture([process.execPath, "stage/demo.ts"], {
      ...{ limitMs: 240_000, cwd: tree, env: variables },
    });
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("lost 0");
  } finally {
    rmSync(tree, { recursive: true });
  }
}, 300_000);

test("a command whose line says nothing that can be done brings nothing for it, on a machine that has nothing", async () => {
  const tree = checkedOut();
  try {
    const HOME = join(tree, "home");
    mkdirSync(HOME);
    const typed = (argv: string[]) =>
      capture(argv, { limitMs: 60_000, cwd: tree, env: { HOME, XDG_CACHE_HOME: "" } });
    for (const [name, wrong] of Object.entries(unfit)) {
      const run = [process.execPath, "run", name];
      expect(await typed([...run, "--help"])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(name),
      });
      for (const words of wrong) expect((await typed([...run, ...words])).code).toBe(2);
    }
    const demo = await typed(["make", "demo", "DEMO_SECONDS=soon"]);
    expect(demo.stderr).toContain("DEMO_SECONDS=soon: a whole number");
    expect(existsSync(join(tree, "node_modules"))).toBe(false);
    expect(readdirSync(HOME)).toEqual([]);
  } finally {
    rmSync(tree, { recursive: true });
  }
});

const ofLedger = (LEDGER_URL: string) => ({ KAFKA_BROKERS: "127.0.0.1:1", LEDGER_URL });

test.each([
  ["proof/load/main.ts", ["--url", "http://127.0.0.1:1"], {}, "make up"],
  ["consumer.ts", [], ofLedger("postgres://u:100%@h/db"), /this LEDGER_URL, .*%40 for @.*: URI error/],
  ["consumer.ts", [], ofLedger("postgres://u:a#b@h/db"), /this LEDGER_URL, .*%40 for @.*: Invalid URL/],
  ["ops/ledger.ts", [], ofLedger("postgres://h:99999/db"), /this LEDGER_URL, .*%40 for @.*: Invalid URL/],
  ["proof/demo/dev.ts", [], { HTTP_PORT: "x" }, "HTTP_PORT=x: a port is expected"],
  ["proof/load/main.ts", [], { LB_PORT: "x" }, "LB_PORT=x: a port is expected"],
  ["proof/demo/dev.ts", [], { TMPDIR: "/nowhere" }, "TMPDIR names another"],
  [
    "stage/demo.ts",
    [],
    { PATH: process.env.PATH ?? "", DEMO_SECONDS: "1", XDG_CACHE_HOME: "/proc/nowhere" },
    "XDG_CACHE_HOME names another place",
  ],
  ["stage/demo.ts", [], { STAGE_PORT: "x" }, "STAGE_PORT=x: a port is expected"],
])("%s says in words what keeps it from beginning", async (entry, args, variables, words) => {
  const run = await capture([process.execPath, entry, ...args], {
    ...{ limitMs: 60_000, cwd, env: { ...env, ...variables } },
  });
  expect(run.code).toBeGreaterThan(0);
  expect(run.stderr).toMatch(words);
  expect(run.stderr).not.toMatch(/^ +at /m);
});

// docs/outcomes.md has a row for every outcome, which says what the table of outcomes, the balancer's configuration and
// the tiers' sources say.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type OutcomeName, outcomes } from "../src/outcomes.ts";

const root = join(import.meta.dir, "..");
const textOf = (path: string) => Bun.file(join(root, path)).text();
const names = Object.keys(outcomes) as OutcomeName[];

type Row = { outcome: string; status: string; fate: string; retryAfter: string; who: string; rest: string[] };

const rows: Row[] = (await textOf("docs/outcomes.md"))
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  .map(([outcome = "", status = "", fate = "", retryAfter = "", who = "", ...rest]) => {
    return { outcome: outcome.slice(1, -1), status, fate, retryAfter, who, rest };
  });

/** The outcomes that are named in these files; the description of the interface names all, and gives none. */
async function namedIn(...globs: string[]): Promise<Set<string>> {
  const paths = globs
    .flatMap((glob) => [...new Bun.Glob(glob).scanSync({ cwd: root })])
    .filter((path) => !/\.test\.ts$|openapi/.test(path));
  const texts = await Promise.all(paths.map(textOf));
  // What a look-up says of an order is a status of it, and no outcome.
  const named = (name: string) => new RegExp(`(?<!status: |=== )"${name}"`);
  return new Set(names.filter((name) => texts.some((text) => named(name).test(text))));
}

const answers = {
  balancer: new Set(
    [...(await textOf("lb/haproxy.cfg")).matchAll(/urn:problem-type:coffee-orders:(\w+)/g)].map(
      ([, name]) => name,
    ),
  ),
  producer: await namedIn("src/intake/*.ts", "src/http/*.ts"),
  consumer: await namedIn("src/handling/app.ts", "src/http/server.ts"),
};

test("every outcome has one row", () => {
  expect(rows.map(({ outcome }) => outcome).sort()).toEqual([...names].sort());
});

test.each(rows.map((row) => [row.outcome, row] as const))("%s", (name, row) => {
  const { status, fate, retryAfterS } = outcomes[name as OutcomeName] as (typeof outcomes)[OutcomeName];
  const who = Object.entries(answers).flatMap(([tier, given]) => (given.has(name) ? [tier] : []));
  expect(row).toEqual({
    outcome: name,
    status: String(status),
    fate: fate ?? "",
    retryAfter: retryAfterS === undefined ? "" : String(retryAfterS),
    who: who.join(", "),
    // A cause, and what to do about it.
    rest: [expect.stringMatching(/\w/), expect.stringMatching(/\w/)],
  });
});

test("what is unknown is sent again with the same key, and what may be sent again is said to be", () => {
  for (const { fate, retryAfter, rest } of rows) {
    if (fate === "unknown") expect(rest[1]).toBe("send it again with the same key");
    else if (retryAfter) expect(rest[1]).toMatch(/(send it|ask) again/);
  }
});

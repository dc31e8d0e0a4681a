// Ten thousand worlds keep their promises, in two processes side by side; and a seed tells all of its world.
import { expect, test } from "bun:test";
import { join } from "node:path";

const main = join(import.meta.dir, "main.ts");

async function simulated(...options: string[]) {
  const child = Bun.spawn([process.execPath, main, ...options], { stdout: "pipe", stderr: "pipe" });
  const [said, wrong, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { said, wrong, code };
}

test("10,000 worlds keep their promises", async () => {
  const halves = await Promise.all(["1", "5001"].map((from) => simulated("--seeds", "5000", "--from", from)));
  for (const { wrong, code } of halves) expect({ wrong, code }).toEqual({ wrong: "", code: 0 });
}, 600_000);

test("the same seed is the same world", async () => {
  for (const seed of ["3", "20112"]) {
    const [one, other] = await Promise.all([simulated("--seed", seed), simulated("--seed", seed)]);
    expect(one.said.split("\n").length).toBeGreaterThan(20);
    expect(other).toEqual(one);
  }
}, 120_000);

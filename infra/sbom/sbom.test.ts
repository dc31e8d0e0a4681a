import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../../kit/capture.ts";
import manifest from "../../package.json" with { type: "json" };
import type { Component } from "./bill.ts";

const folder = mkdtempSync(join(tmpdir(), "coffee-orders-sbom-"));
const bills: Record<
  string,
  { components: Component[]; dependencies: { ref: string; dependsOn: string[] }[] }
> = {};
beforeAll(async () => {
  await must([process.execPath, join(import.meta.dir, "main.ts"), folder], { limitMs: 90_000 });
  for (const name of ["app", "native"])
    bills[name] = JSON.parse(readFileSync(join(folder, `${name}.cdx.json`), "utf8"));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const namesIn = (name: string) =>
  (bills[name]?.components ?? []).map(({ group, name }) => (group ? `${group}/${name}` : name));

test("the app's has what it is installed with, however far, with digests, and nothing of its development", () => {
  const names = namesIn("app");
  for (const name of [...Object.keys(manifest.dependencies), "bun", "thread-stream", "nan"])
    expect(names).toContain(name);
  for (const name of Object.keys(manifest.devDependencies)) expect(names).not.toContain(name);
  const packages = bills.app?.components.filter(({ purl }) => purl?.startsWith("pkg:npm/")) ?? [];
  for (const { hashes, version, licenses } of packages) {
    expect(hashes).toEqual([{ alg: "SHA-512", content: expect.stringMatching(/^[0-9a-f]{128}$/) }]);
    expect([version, licenses]).toEqual([expect.stringMatching(/^\d/), [expect.anything()]]);
  }
});

test("the addon's has librdkafka, what is in it, and each library that the addon is linked to", async () => {
  const names = namesIn("native");
  for (const name of ["librdkafka", "@confluentinc/kafka-javascript", "node-rdkafka", "nan"])
    expect(names).toContain(name);
  const linked = bills.native?.components.slice(names.indexOf("file-uri-to-path") + 1) ?? [];
  expect(linked.map(({ name }) => name).join(" ")).toMatch(/ssl.*zstd/);
  const within = bills.native?.components.find(({ name }) => name === "librdkafka")?.components;
  expect(within?.map(({ name }) => name)).toContain("lz4");
});

test.each(["app", "native"])("in the %s's every part is needed by one, and every need is a part", (name) => {
  const refs = (bills[name]?.components ?? []).flatMap(({ purl }) => purl ?? []);
  const needed = (bills[name]?.dependencies ?? []).flatMap(({ dependsOn }) => dependsOn);
  expect(new Set(needed)).toEqual(new Set(refs));
  expect(refs.length).toBe(new Set(refs).size);
});

// What the app and its native addon are made of, each as a bill in CycloneDX (app.cdx.json and
// native.cdx.json). The system below the app image is its base image's and its packages' own.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ownCommandLine } from "../../kit/arguments.ts";
import { endInWords } from "../../kit/child.ts";
import { UserError } from "../../kit/user-error.ts";
import { addonPath } from "../../native/addon.ts";
import { versions } from "../../native/versions.ts";
import manifest from "../../package.json" with { type: "json" };
import { billOf, type Component } from "./bill.ts";
import { librdkafkaOf, linkedTo } from "./linked.ts";
import { componentOf, lockedComponents, readLock } from "./locked.ts";

const root = join(import.meta.dir, "..", "..");
const modules = join(root, "node_modules");

/** What the app runs on and is made of: the packages that its image installs. */
async function appBill() {
  const lock = await readLock(join(root, "bun.lock"));
  const names = Object.keys(lock.workspaces[""].dependencies);
  const { components, needs } = await lockedComponents(lock, names, modules);
  const { name, version, license: expression } = manifest;
  const purl = `pkg:generic/${name}@${version}`;
  const app = { type: "application" as const, name, version, purl, licenses: [{ expression }] };
  const bun: Component = {
    type: "platform",
    name: "bun",
    version: versions.bun,
    purl: `pkg:github/oven-sh/bun@bun-v${versions.bun}`,
  };
  return billOf(app, [bun, ...components], needs);
}

/** What is compiled and linked into the addon that is in its place. @throws UserError when there is none */
async function nativeBill() {
  const addon = Bun.file(addonPath);
  if (!(await addon.exists())) throw new UserError("The addon is not built yet: bun run native");
  const sha256 = new Bun.CryptoHasher("sha256").update(await addon.bytes()).digest("hex");
  const whole = {
    type: "library" as const,
    name: "node-librdkafka.node",
    purl: `pkg:generic/node-librdkafka.node?checksum=sha256:${sha256}`,
    hashes: [{ alg: "SHA-256" as const, content: sha256 }],
  };
  const lock = await readLock(join(root, "bun.lock"));
  const packages = await lockedComponents(lock, ["node-rdkafka"], modules);
  // Of these only the source and the headers are taken: what they would need by themselves is not.
  const { packages: fetched } = await readLock(join(root, "native", "deps", "bun.lock"));
  const source = await componentOf(fetched["@confluentinc/kafka-javascript"], modules);
  const headers = await componentOf(fetched[`node-linux-${process.arch}`], modules);
  const parts = [
    librdkafkaOf(source),
    source,
    headers,
    ...packages.components,
    ...(await linkedTo(addonPath)),
  ];
  return billOf(whole, parts, packages.needs);
}

const usage = `bun run sbom [FOLDER]     writes the bills there; by default in out/sbom
Exit code: 0 written; 1 why not; 2 the command was not understood.`;
const folder = ownCommandLine(usage, {}, (_, [word = join(root, "out", "sbom")]) => word, 1);
try {
  mkdirSync(folder, { recursive: true });
  for (const [name, make] of Object.entries({ app: appBill, native: nativeBill })) {
    const bill = await make();
    const path = join(folder, `${name}.cdx.json`);
    await Bun.write(path, `${JSON.stringify(bill, null, 2)}\n`);
    console.log(`${path}: ${bill.components.length} components`);
  }
} catch (error) {
  endInWords(error);
}

// Builds stand-ins for the official images from packages. A stand-in serves the same command lines, and its tag
// carries the version that is really inside, which is the packages' choice and not always the one asked for.
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { must } from "../../kit/capture.ts";
import { cachePath, type Machine } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";
import { baseRecipe, ensureBase } from "./base.ts";
import { withoutDigest } from "./pin.ts";
import { digest, markedAs } from "./recipe.ts";

const folder = join(import.meta.dir, "stand-ins");
const version = /\d+(\.\d+)+/;

/** How each image that a stand-in exists for tells its version. */
const asksVersion = {
  bun: ["bun", "--version"],
  haproxy: ["haproxy", "-v"],
  kafka: ["sh", "-c", "ls /opt/kafka/libs | grep kafka-clients"],
  postgres: ["postgres", "--version"],
} as const;

/** The images that a stand-in exists for. */
export type StandInKind = keyof typeof asksVersion;

/** Tells one stand-in from an older one of the same name. */
export async function standInRecipe(kind: StandInKind): Promise<string> {
  const files = await Array.fromAsync(new Bun.Glob("*").scan({ cwd: join(folder, kind) }));
  // Only this one is built upon, by a build that has to trust whom the machine trusts.
  return digest(kind === "bun" ? [await baseRecipe()] : [], join(folder, kind), files);
}

/** Builds a stand-in for `image`, and returns the name it got: `image` with the version that is inside, without a digest. */
export async function buildStandIn(machine: Machine, kind: StandInKind, image: string): Promise<string> {
  const base = await ensureBase(machine);
  await mkdir(cachePath(machine), { recursive: true });
  const context = await mkdtemp(cachePath(machine, `${kind}-`));
  const draft = `coffee-orders/stand-in-${kind}`;
  try {
    await cp(join(folder, kind), context, { recursive: true });
    // The very Bun that runs this: it came from its package.
    if (kind === "bun") await cp(process.execPath, join(context, "bun"));
    const options = ["--build-arg", `BASE=${base}`, "--build-arg", `VERSION=${version.exec(image)?.[0]}`];
    await step(
      machine,
      `building a stand-in for ${image}`,
      ["docker", "build", ...options, ...markedAs(await standInRecipe(kind)), "--tag", draft, context],
      { limitMs: 900_000 },
    );
  } finally {
    await rm(context, { recursive: true });
  }
  const [program, ...args] = asksVersion[kind];
  const said = await must(["docker", "run", "--rm", "--entrypoint", program, draft, ...args], {
    limitMs: 60_000,
  });
  const name = withoutDigest(image).replace(version, version.exec(said)?.[0] ?? "unknown");
  await must(["docker", "tag", draft, name], { limitMs: 30_000 });
  await must(["docker", "rmi", draft], { limitMs: 30_000 });
  return name;
}

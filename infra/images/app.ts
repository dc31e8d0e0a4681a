// Builds the image of the two tiers, when what it is made of has changed.
import { join } from "node:path";
import type { Machine } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";
import { digest, markedAs } from "./recipe.ts";

const root = join(import.meta.dir, "..", "..");
const dockerfile = "infra/images/app/Dockerfile";

/** Tells one app image from another: its sources, and the image that it is built on. */
export async function appRecipe(bunImage: string): Promise<string> {
  return digest([bunImage], root, await appFiles());
}

/** Builds the app image on `bunImage`. Its slow part, the native addon, is a layer that sources do not touch. */
export async function buildApp(machine: Machine, image: string, bunImage: string): Promise<void> {
  const options = ["--build-arg", `BUN_IMAGE=${bunImage}`, ...markedAs(await appRecipe(bunImage))];
  await step(
    machine,
    `building ${image}`,
    ["docker", "build", ...options, "--file", dockerfile, "--tag", image, "."],
    { limitMs: 1_200_000, cwd: root },
  );
}

/** The files of the build context, as .dockerignore lets them through. */
export async function appFiles(): Promise<string[]> {
  const rules = (await Bun.file(join(root, ".dockerignore")).text()).split("\n");
  const allowed = rules.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1));
  const excluded = rules.filter((rule) => rule.startsWith("**/")).map((rule) => new Bun.Glob(rule));
  const files = [dockerfile, ".dockerignore"];
  for (const entry of allowed) {
    if (await Bun.file(join(root, entry)).exists()) files.push(entry);
    else for await (const file of new Bun.Glob(`${entry}/**/*`).scan({ cwd: root })) files.push(file);
  }
  return files.filter((file) => !excluded.some((rule) => rule.match(file)));
}

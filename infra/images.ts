// Makes sure that every image of compose.yaml is on this machine: there already, pulled, or, where no registry
// answers, built from packages. A second run changes nothing and takes less than a second.
import { join } from "node:path";
import { knownWord, ownCommandLine } from "../kit/arguments.ts";
import { must } from "../kit/capture.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { type Machine, thisMachine } from "../kit/machine.ts";
import { appRecipe, buildApp } from "./images/app.ts";
import { pin } from "./images/pin.ts";
import { pull } from "./images/pull.ts";
import { recipeOf } from "./images/recipe.ts";
import { remember } from "./images/remember.ts";
import { buildStandIn, type StandInKind, standInRecipe } from "./images/stand-in.ts";

const compose = join(import.meta.dir, "compose.yaml");

/** Makes sure that every image is there. */
export async function ensureImages(machine: Machine): Promise<void> {
  const wanted = await wantedImages();
  for (const kind of ["kafka", "postgres", "haproxy"] as const) await ensure(machine, kind, wanted[kind]);

  if ((await recipeOf(wanted.app)) === (await appRecipe(wanted.bun))) return;
  await buildApp(machine, wanted.app, await ensure(machine, "bun", wanted.bun));
}

/** Makes sure of one of the images that are not ours, and returns its name. */
export async function ensureImage(machine: Machine, kind: Exclude<StandInKind, "bun">): Promise<string> {
  return ensure(machine, kind, (await wantedImages())[kind]);
}

/** The images that compose.yaml names, variables filled in: from the environment, from infra/.env, or by default. */
async function wantedImages() {
  const { services } = JSON.parse(
    await must(["docker", "compose", "-f", compose, "config", "--format", "json"], { limitMs: 30_000 }),
  );
  return {
    kafka: services.kafka1.image as string,
    postgres: services.postgres.image as string,
    haproxy: services.haproxy.image as string,
    bun: services.producer.build.args.BUN_IMAGE as string,
    app: services.producer.image as string,
  };
}

/** Makes sure of one image that is not ours, and returns its name: a stand-in may bear another version. */
async function ensure(machine: Machine, kind: StandInKind, image: string): Promise<string> {
  const recipe = await recipeOf(image);
  const official = recipe === "";
  if (official || (recipe && recipe === (await standInRecipe(kind)))) return image;
  if (await pull(machine, image)) return image;

  const built = await buildStandIn(machine, kind, image);
  if (built !== image) await remember(machine, `${kind.toUpperCase()}_IMAGE`, built);
  return built;
}

if (import.meta.main) {
  const usage = `bun run images        makes sure that every image is there
bun run images pin    writes their digests into compose.yaml and the Dockerfile
Exit code: 0 done; 1 not done; 2 the command was not understood.`;
  const ways = { ensure: ensureImages, pin };
  const way = ownCommandLine(
    usage,
    {},
    (_, [word = "ensure"]) => ways[knownWord("command", word, ["ensure", "pin"])],
    1,
  );
  const machine = thisMachine(stopWhenTold());
  try {
    await way(machine);
  } catch (error) {
    endInWords(error, machine.say);
  }
}

// Tools that no package source of a stable Debian has, built from their modules where Go is, kept in the cache. A module is
// pinned by its digest, and brings its own go.sum: so all that it is built of is pinned.
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { must } from "../../kit/capture.ts";
import { ask, cachePath, isAtLeast, type Machine, which, withTools } from "../../kit/machine.ts";
import { showingProgress, step } from "../../kit/step.ts";
import { UserError } from "../../kit/user-error.ts";

const BUILD_LIMIT_MS = 20 * 60_000;
const FETCH_LIMIT_MS = 10 * 60_000;
/** From here on Go fetches by itself the newer toolchain that a module asks for. */
const OLDEST_GO = "1.21";

/** A program to be built: `sum` is the module's digest, as go.sum writes it (https://go.dev/ref/mod#go-sum-files). */
interface Program {
  module: string;
  version: string;
  sum: string;
  /** Where in the module its main package lies. */
  main: string;
  linkerFlags?: string;
}

const k6: Program = {
  module: "go.k6.io/k6",
  version: "v1.8.1",
  sum: "h1:orZsbZ2Od0CVZICs9YpTgkKcxfPghJW8VZtwg0cj8H8=",
  main: ".",
};

const composeVersion = "v2.40.3";
const compose: Program = {
  module: "github.com/docker/compose/v2",
  version: composeVersion,
  sum: "h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI=",
  main: "./cmd",
  linkerFlags: `-s -w -X github.com/docker/compose/v2/internal.Version=${composeVersion}`,
};

/** The packages that bring such a Go: Debian's default one, else the newest of the versioned ones. */
export const goPackages = [
  `golang-go>=${OLDEST_GO}`,
  ...["1.26", "1.25", "1.24", "1.23", "1.22", "1.21"].map((version) => `golang-${version}-go`),
];

export async function hasGo(machine: Machine): Promise<boolean> {
  return isAtLeast((await ask(machine, "go", "version")) ?? "", OLDEST_GO);
}

/** Builds k6 into the cache, where `withTools` finds it. */
export function buildK6(machine: Machine): Promise<void> {
  return build(machine, k6, cachePath(machine, "bin", "k6"));
}

/** Builds Docker Compose and makes it the `docker compose` of this user. */
export function buildCompose(machine: Machine): Promise<void> {
  const configFolder = machine.env.DOCKER_CONFIG || join(machine.env.HOME ?? "/", ".docker");
  return build(machine, compose, join(configFolder, "cli-plugins", "docker-compose"));
}

/** Builds a program into its place. @throws UserError also where the module is not the pinned one */
async function build(machine: Machine, program: Program, place: string): Promise<void> {
  const { module, version, sum, main, linkerFlags = "" } = program;
  const go = which(machine, "go") ?? "go";
  const env = {
    ...withTools(machine),
    GOTOOLCHAIN: "auto",
    GOFLAGS: "-buildvcs=false",
    CGO_ENABLED: "0",
  };
  await inFreshFolder(machine, async (folder) => {
    const options = { limitMs: FETCH_LIMIT_MS, cwd: folder, env };
    const fetched = await showingProgress(machine, `fetching ${module} ${version}`, () =>
      must([go, "mod", "download", "-json", `${module}@${version}`], { ...options, stop: machine.stop }),
    );
    const { Dir: source, Sum: found } = JSON.parse(fetched);
    if (found !== sum)
      throw new UserError(`${module} ${version} is not the pinned one: ${found}, not ${sum}.`);
    // -mod=readonly: what is not in the module's own go.sum is refused.
    const flags = ["-mod=readonly", "-trimpath", "-ldflags", linkerFlags, "-o", join(folder, "built")];
    await step(machine, `building ${module} ${version}`, [go, "build", "-C", source, ...flags, main], {
      ...options,
      limitMs: BUILD_LIMIT_MS,
    });
    moveInto(place, join(folder, "built"));
  });
}

async function inFreshFolder(machine: Machine, work: (folder: string) => Promise<void>): Promise<void> {
  mkdirSync(cachePath(machine), { recursive: true });
  const folder = mkdtempSync(cachePath(machine, "build-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function moveInto(place: string, file: string): void {
  mkdirSync(dirname(place), { recursive: true });
  // In two moves, for the place may be on another file system and in use.
  copyFileSync(file, `${place}.new`);
  renameSync(`${place}.new`, place);
}

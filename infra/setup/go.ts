// Tools that no package source of a stable Debian has, built from their modules where Go is: pinned, kept in the cache.
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ask, cachePath, isAtLeast, type Machine, which, withTools } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";

const BUILD_LIMIT_MS = 20 * 60_000;
const FETCH_LIMIT_MS = 10 * 60_000;
/** From here on Go fetches by itself the newer toolchain that a module asks for. */
const OLDEST_GO = "1.21";
const COMPOSE = "v2.40.3";
const K6 = "v1.8.1";

/** The packages that bring such a Go: Debian's default one, else the newest of the versioned ones. */
export const goPackages = [
  `golang-go>=${OLDEST_GO}`,
  ...["1.26", "1.25", "1.24", "1.23", "1.22", "1.21"].map((version) => `golang-${version}-go`),
];

export async function hasGo(machine: Machine): Promise<boolean> {
  return isAtLeast((await ask(machine, "go", "version")) ?? "", OLDEST_GO);
}

/** Builds k6 into the cache, where `withTools` finds it. */
export async function buildK6(machine: Machine): Promise<void> {
  await inFreshFolder(machine, async (folder) => {
    await go(machine, `building k6 ${K6}`, folder, ["install", "-trimpath", `go.k6.io/k6@${K6}`]);
    moveInto(cachePath(machine, "bin", "k6"), join(folder, "k6"));
  });
}

/** Builds Docker Compose and makes it the `docker compose` of this user. */
export async function buildCompose(machine: Machine): Promise<void> {
  const configFolder = machine.env.DOCKER_CONFIG || join(machine.env.HOME ?? "/", ".docker");
  const module = "github.com/docker/compose/v2";
  await inFreshFolder(machine, async (folder) => {
    // Not `go install`: it refuses a module with exclude lines.
    await go(machine, "go mod init", folder, ["mod", "init", "compose"]);
    await go(machine, `fetching Docker Compose ${COMPOSE}`, folder, ["get", `${module}/cmd@${COMPOSE}`]);
    const version = `-s -w -X ${module}/internal.Version=${COMPOSE}`;
    const build = ["build", "-trimpath", "-ldflags", version, "-o", "docker-compose", `${module}/cmd`];
    await go(machine, `building Docker Compose ${COMPOSE}`, folder, build);
    moveInto(join(configFolder, "cli-plugins", "docker-compose"), join(folder, "docker-compose"));
  });
}

async function go(machine: Machine, title: string, folder: string, args: string[]): Promise<void> {
  await step(machine, title, [which(machine, "go") ?? "go", ...args], {
    limitMs: args[0] === "get" ? FETCH_LIMIT_MS : BUILD_LIMIT_MS,
    cwd: folder,
    env: {
      ...withTools(machine),
      GOTOOLCHAIN: "auto",
      GOBIN: folder,
      GOFLAGS: "-buildvcs=false",
      CGO_ENABLED: "0",
    },
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

// A clone of the project that has only what the build of the addon needs, with a cache of its own: for tests that
// build, damage and change things.
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { thisMachine } from "../../kit/machine.ts";
import manifest from "../../package.json" with { type: "json" };
import { librdkafka, sources } from "../librdkafka.ts";

const root = join(import.meta.dir, "..", "..");
const packages = join("node_modules", "node-rdkafka");

export interface Clone extends Disposable {
  /** Where the addon and its stamp are put. */
  release: string;
  /** The paths of what its cache holds, by the start of their names. */
  cached(prefix: string): string[];
  /** Pins it to another Bun than the one that it runs on. */
  pinTo(bunVersion: string): void;
  /** A folder with every program of this machine but those; for a PATH. */
  programsBut(left: RegExp): string;
  /** Runs its build and says how that ended. @param env what its environment has besides */
  build(
    path: string,
    limitMs: number,
    args?: string[],
    env?: Record<string, string>,
  ): Promise<{ exitCode: number; said: string; cpuMs: number }>;
}

/** Makes such a clone, for whose builds librdkafka is made already; it is gone when its scope ends. */
export async function makeClone(limitMs: number): Promise<Clone> {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-clone-"));
  const shelf = join(folder, "cache", "coffee-orders", "native");
  for (const part of ["native", "kit", "package.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  const kept = (path: string) => !/node-rdkafka\/(deps|build)(\/|$)/.test(path);
  cpSync(join(root, packages), join(folder, packages), { recursive: true, filter: kept });
  for (const needed of ["nan", "bindings", "file-uri-to-path"])
    symlinkSync(join(root, "node_modules", needed), join(folder, "node_modules", needed));

  const machine = thisMachine(AbortSignal.timeout(limitMs));
  const source = await sources(machine);
  mkdirSync(shelf, { recursive: true });
  for (const made of [source, await librdkafka(machine, source)])
    symlinkSync(made, join(shelf, basename(made)));

  return {
    release: join(folder, packages, "build", "Release"),
    cached: (prefix) => globSync(join(shelf, `${prefix}*`)),
    pinTo: (version) => {
      const pinned = { ...manifest, packageManager: `bun@${version}` };
      writeFileSync(join(folder, "package.json"), JSON.stringify(pinned));
    },
    programsBut: (left) => {
      const programs = mkdtempSync(join(folder, "programs-"));
      for (const path of (process.env.PATH ?? "").split(":").flatMap((place) => globSync(join(place, "*")))) {
        const link = join(programs, basename(path));
        if (!left.test(basename(path)) && !existsSync(link)) symlinkSync(path, link);
      }
      return programs;
    },
    build: async (path, buildLimitMs, args = [], env = {}) => {
      const child = Bun.spawn([process.execPath, "native/build.ts", ...args], {
        cwd: folder,
        env: { PATH: path, HOME: folder, XDG_CACHE_HOME: join(folder, "cache"), ...env },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
        timeout: buildLimitMs,
      });
      const said = await child.stderr.text();
      const exitCode = await child.exited;
      return { exitCode, said, cpuMs: Number(child.resourceUsage()?.cpuTime.total) / 1_000 };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

// What each command needs of the machine: how to see that it is there, and every way to get it.

import { ask, isAtLeast, type Machine, which } from "../../kit/machine.ts";
import { isSecured } from "../secure/access.ts";
import type { Choice } from "./apt.ts";
import { dockerAnswers } from "./docker.ts";
import { buildCompose, buildK6, goPackages, hasGo } from "./go.ts";
import { hasPython, hasSchemathesis, makeSchemathesis } from "./python.ts";

export interface Requirement {
  name: string;
  isThere(machine: Machine): Promise<boolean>;
  /** Debian packages that bring it. */
  packages(machine: Machine): Promise<Choice[]>;
  /** Makes it without packages, where that can be done. */
  make?: { can(machine: Machine): Promise<boolean>; run(machine: Machine): Promise<void> };
  howToGet: string;
}

/** Chromium's programs, the best first. */
export const browsers = ["chromium-headless-shell", "chromium"];

/** The commands that set-up prepares for. */
export const commands = ["demo", "up", "test", "load", "prove", "bench", "bench-quick"] as const;
export type PreparedCommand = (typeof commands)[number];

const toolchain: Requirement = {
  name: "C and C++ compiler, make",
  isThere: async (machine) => ["cc", "c++", "make"].every((program) => which(machine, program)),
  packages: async () => [["gcc"], ["g++"], ["make"]],
  howToGet: "packages gcc, g++ and make",
};

const headers: Requirement = {
  name: "headers of OpenSSL, zlib and zstd",
  isThere: async (machine) => {
    const wanted = ["openssl/ssl.h", "zlib.h", "zstd.h"].flatMap((header) => ["-include", header]);
    return (await ask(machine, "cc", "-E", ...wanted, "-x", "c", "/dev/null")) !== undefined;
  },
  packages: async () => [["libssl-dev"], ["zlib1g-dev"], ["libzstd-dev"]],
  howToGet: "packages libssl-dev, zlib1g-dev and libzstd-dev, or their like",
};

const haproxy: Requirement = {
  name: "HAProxy 2.6 or newer",
  isThere: async (machine) => isAtLeast((await ask(machine, "haproxy", "-v")) ?? "", "2.6"),
  packages: async () => [["haproxy>=2.6"]],
  howToGet: "package haproxy, or https://www.haproxy.org",
};

const openssl: Requirement = {
  name: "openssl, which makes certificates",
  isThere: async (machine) => which(machine, "openssl") !== undefined,
  packages: async () => [["openssl"]],
  howToGet: "package openssl",
};

const postgres: Requirement = {
  name: "PostgreSQL's server programs",
  isThere: async (machine) => ["initdb", "pg_ctl", "postgres"].every((program) => which(machine, program)),
  packages: async () => [["postgresql"]],
  howToGet: "package postgresql, or https://www.postgresql.org/download",
};

const docker: Requirement = {
  name: "Docker, with a daemon that this user may use",
  isThere: async (machine) =>
    (await dockerAnswers(machine)) ||
    (machine.root && ["docker", "dockerd"].every((program) => which(machine, program) !== undefined)),
  // Newer releases have the client in a package of its own.
  packages: async () => [["docker.io"], ["docker-cli", "docker.io"]],
  howToGet: "https://docs.docker.com/engine/install",
};

const compose: Requirement = {
  name: "Docker Compose v2",
  isThere: async (machine) => (await ask(machine, "docker", "compose", "version")) !== undefined,
  packages: async (machine) => [
    ["docker-compose-v2", "docker-compose-plugin", "docker-compose>=2", ...(await goUnlessThere(machine))],
  ],
  make: { can: hasGo, run: buildCompose },
  howToGet: "https://docs.docker.com/compose/install, or Go 1.21 or newer on the PATH to build it with",
};

const k6: Requirement = {
  name: "k6 1.8 or newer",
  isThere: async (machine) => isAtLeast((await ask(machine, "k6", "version")) ?? "", "1.8"),
  packages: async (machine) => [["k6>=1.8", ...(await goUnlessThere(machine))]],
  make: { can: hasGo, run: buildK6 },
  howToGet: "https://grafana.com/docs/k6, or Go 1.21 or newer on the PATH to build it with",
};

const wrk: Requirement = {
  name: "wrk",
  isThere: async (machine) => which(machine, "wrk") !== undefined,
  packages: async () => [["wrk"]],
  howToGet: "package wrk, or https://github.com/wg/wrk",
};

const go: Requirement = {
  name: "Go 1.21 or newer",
  isThere: hasGo,
  packages: async () => [goPackages],
  howToGet: "https://go.dev/dl",
};

const schemathesis: Requirement = {
  name: "Schemathesis, as it is pinned",
  isThere: hasSchemathesis,
  packages: async (machine) => ((await hasPython(machine)) ? [] : [["python3-venv>=3.11"]]),
  make: { can: hasPython, run: makeSchemathesis },
  howToGet: "Python 3.11 or newer with its module venv, and pip's package index",
};

const chromium: Requirement = {
  name: "Chromium",
  isThere: async (machine) => browsers.some((program) => which(machine, program) !== undefined),
  // The first has no window, and brings a third of what the second does.
  packages: async () => [[...browsers], ["fonts-dejavu-core"]],
  howToGet: "package chromium",
};

async function goUnlessThere(machine: Machine): Promise<string[]> {
  return (await hasGo(machine)) ? [] : goPackages;
}

/** What a command can't do without. */
export function requirementsOf(command: PreparedCommand): Requirement[] {
  const embedded = [toolchain, headers, haproxy];
  const containers = [docker, compose];
  return {
    demo: embedded,
    up: isSecured(process.env) ? [...containers, openssl] : containers,
    load: [k6],
    prove: [toolchain, headers, ...containers, k6],
    bench: [...embedded, postgres, ...containers, wrk, go],
    // Without the peers, which are made with Go.
    "bench-quick": [...embedded, postgres, ...containers, wrk],
    test: [...embedded, openssl, postgres, schemathesis, chromium, ...containers, k6, wrk],
  }[command];
}

/** What only the tests on containers need: without it the others can still run. */
export const forContainers: ReadonlySet<Requirement> = new Set([docker, compose, k6, wrk]);

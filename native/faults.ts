// What keeps the addon from being built or from running here, all of it in one message, before any long work.
import { closeSync, openSync, readSync } from "node:fs";
import { ask, type Machine, which } from "../kit/machine.ts";
import { versions } from "./versions.ts";

/** The platform that we are on. */
export interface Platform {
  bun: string;
  /** The Node whose interface this Bun has. */
  node: string;
  os: string;
  arch: string;
  libc: "glibc" | "musl";
}

/** The platform that this process runs on. */
export function thisPlatform(): Platform {
  const libc = interpreter(process.execPath).includes("ld-musl") ? "musl" : "glibc";
  return { bun: Bun.version, node: process.versions.node, os: process.platform, arch: process.arch, libc };
}

/** Why the addon can't be had on this platform, or nothing. */
export function platformFaults({ bun, node, os, arch, libc }: Platform): string[] {
  const faults: string[] = [];
  if (os !== "linux" || !["x64", "arm64"].includes(arch))
    faults.push(`${os} on ${arch}: node-rdkafka is built here for Linux on x64 and arm64 only.`);
  if (libc === "musl") faults.push("musl: use a distribution with glibc, such as Debian or Ubuntu.");
  if (bun !== versions.bun)
    faults.push(
      [
        `Bun ${bun}: node-rdkafka is verified on Bun ${versions.bun} only. Run it with that one; or, to verify`,
        `this one, name it in package.json's "packageManager", take the headers of Node ${node} in`,
        "native/deps, and run: bun native/build.ts && bun test native",
      ].join("\n    "),
    );
  else if (node !== versions.node)
    faults.push(`This Bun stands in for Node ${node}, but native/deps has the headers of ${versions.node}.`);
  return faults;
}

/** What a build would lack here. */
export async function buildFaults(machine: Machine): Promise<string[]> {
  const compiles = async (header: string) =>
    (await ask(machine, "c++", "-std=c++20", "-E", "-include", header, "-x", "c++", "/dev/null")) !==
    undefined;
  const has = async (program: string) => which(machine, program) !== undefined;
  const needs: [what: string, debianPackage: string, isThere: Promise<boolean>][] = [
    ["bash", "bash", has("bash")],
    ["make", "make", has("make")],
    ["a C compiler (cc)", "gcc", has("cc")],
    ["a C++ compiler (c++) that knows C++20", "g++", compiles("concepts")],
    ["OpenSSL's headers", "libssl-dev", compiles("openssl/ssl.h")],
    ["zlib's headers", "zlib1g-dev", compiles("zlib.h")],
    ["zstd's headers", "libzstd-dev", compiles("zstd.h")],
  ];
  const missing: typeof needs = [];
  for (const need of needs) if (!(await need[2])) missing.push(need);
  if (missing.length === 0) return [];
  return [
    ...missing.map(([what]) => what),
    `On Debian or Ubuntu, as root: apt-get install -y ${missing.map(([, name]) => name).join(" ")}`,
  ];
}

/** The start of a program, which names the loader, and so the C library, that it was made for. */
function interpreter(program: string): string {
  const start = Buffer.alloc(4096);
  const file = openSync(program, "r");
  try {
    readSync(file, start, 0, start.length, 0);
  } finally {
    closeSync(file);
  }
  return start.toString("latin1");
}

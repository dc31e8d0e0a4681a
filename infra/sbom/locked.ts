// What a bun.lock has decided on: every package with its version and digest, and what each needs.
import { join } from "node:path";
import type { Component, Needs } from "./bill.ts";

/** By name: «name@version», where from, what it is like, and the digest of its archive. */
type Locked = [id: string, from: string, like: { dependencies?: Record<string, string> }, integrity: string];

export interface Lock {
  workspaces: { "": { dependencies: Record<string, string> } };
  packages: Record<string, Locked>;
}

/** Reads one. */
export const readLock = async (path: string): Promise<Lock> =>
  Bun.JSONC.parse(await Bun.file(path).text()) as Lock;

/**
 * These packages and all that they need, however far.
 * @param modules where they are installed; licenses are known of what lies there
 * @throws Error when the lock lacks one
 */
export async function lockedComponents(lock: Lock, names: readonly string[], modules: string) {
  const found = new Map<string, Component & { purl: string }>();
  const needs = new Map<string, readonly string[]>();
  /** @param path the package's key: below that of whoever has a version of its own, else its name */
  const visit = async (path: string): Promise<string> => {
    const known = found.get(path);
    if (known) return known.purl;
    const locked = lock.packages[path];
    const component = await componentOf(locked, modules);
    found.set(path, component);
    const on: string[] = [];
    for (const name of Object.keys(locked?.[2].dependencies ?? {}))
      on.push(await visit(lock.packages[`${path}/${name}`] ? `${path}/${name}` : name));
    needs.set(component.purl, on);
    return component.purl;
  };
  for (const name of names) await visit(name);
  return { components: [...found.values()], needs: needs as Needs };
}

/** A package as it is locked. @throws Error when it is not */
export async function componentOf(locked: Locked | undefined, modules: string) {
  if (!locked) throw new Error("a package that is needed is not in bun.lock");
  const [id, , , integrity] = locked;
  const at = id.lastIndexOf("@");
  const [whole, version] = [id.slice(0, at), id.slice(at + 1)];
  const [name = "", group] = whole.split("/").reverse();
  const [algorithm, digest = ""] = integrity.split("-");
  if (algorithm !== "sha512") throw new Error(`${id}: ${algorithm} is no digest known here`);
  const manifest = Bun.file(join(modules, whole, "package.json"));
  const license = (await manifest.exists()) ? (await manifest.json()).license : undefined;
  return {
    type: "library" as const,
    ...(group && { group }),
    name,
    version,
    purl: `pkg:npm/${group ? `${encodeURIComponent(group)}/` : ""}${name}@${version}`,
    hashes: [{ alg: "SHA-512" as const, content: Buffer.from(digest, "base64").toString("hex") }],
    ...(typeof license === "string" && { licenses: [{ expression: license }] }),
  };
}

// An addon that was built elsewhere, in place of a compiler: `--pack` makes an archive of the one that is ready here, and
// COFFEE_NATIVE_PREBUILT names one to take. Nothing of it is used before its digest is the one that was told, and it is for
// this machine, this Bun and these sources.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Machine } from "../kit/machine.ts";
import { showingProgress } from "../kit/step.ts";
import { UserError } from "../kit/user-error.ts";
import { addonPath } from "./addon.ts";
import { versions } from "./versions.ts";

const FETCH_LIMIT_MS = 5 * 60_000;
const addonFile = basename(addonPath);
const aboutFile = "about.json";

/** What an archive says of its addon. */
interface About {
  arch: string;
  /** That it was built on: an older one lacks what it may need. */
  glibc: string;
  bun: string;
  librdkafka: string;
  /** Of all that it was made of. */
  key: string;
}

/** What an addon that is built here is. */
function aboutHere(key: string): About {
  const report = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return {
    arch: process.arch,
    glibc: report.header.glibcVersionRuntime ?? "0",
    bun: Bun.version,
    librdkafka: versions.librdkafka,
    key,
  };
}

/** Packs the addon of this key, which is ready, with a file of its digest beside it as `sha256sum` reads it; gives the archive's path. */
export async function packAddon(key: string, folder: string): Promise<string> {
  const about = aboutHere(key);
  const { arch, glibc, bun, librdkafka } = about;
  const name = `node-librdkafka-linux-${arch}-glibc${glibc}-bun${bun}-librdkafka${librdkafka}-${key}.tar.gz`;
  const parts = { [aboutFile]: JSON.stringify(about), [addonFile]: readFileSync(addonPath) };
  const bytes = await new Bun.Archive(parts, { compress: "gzip" }).bytes();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), bytes);
  writeFileSync(join(folder, `${name}.sha256`), `${sha256(bytes)}  ${name}\n`);
  return join(folder, name);
}

/**
 * Writes the addon of an archive into a folder, verified: the one of this key.
 * @param from a path or URL; its digest is in COFFEE_NATIVE_PREBUILT_SHA256, or of a path in the .sha256 beside it
 * @throws UserError when it can't be had, is another than was meant, or not for here; nothing is written then
 */
export async function takePrebuilt(
  machine: Machine,
  from: string,
  key: string,
  folder: string,
): Promise<void> {
  const refuse = (why: string) =>
    new UserError(
      `${from} is not used: ${why}\nUnset COFFEE_NATIVE_PREBUILT to build the addon here, with a C++ compiler.`,
    );
  const isUrl = /^https?:\/\//.test(from);
  const wanted = machine.env.COFFEE_NATIVE_PREBUILT_SHA256 || (isUrl ? undefined : await digestBeside(from));
  if (!wanted)
    throw refuse(
      `nobody says what its digest is. Set COFFEE_NATIVE_PREBUILT_SHA256${isUrl ? "" : `, or put ${from}.sha256 beside it`}.`,
    );
  const bytes = await (isUrl ? fetched(machine, from, refuse) : read(from, refuse));
  const found = sha256(bytes);
  if (found !== wanted.toLowerCase())
    throw refuse(
      `its SHA-256 is ${found}, not ${wanted}. It is damaged, or another: get archive and digest anew, from whom you trust.`,
    );
  const files = await new Bun.Archive(bytes).files();
  const about = JSON.parse((await files.get(aboutFile)?.text()) ?? "{}") as Partial<About>;
  const faults = faultsOf(about, aboutHere(key));
  if (faults.length > 0) throw refuse(faults.join("; "));
  const addon = files.get(addonFile);
  if (!addon) throw refuse(`it has no ${addonFile}.`);
  await Bun.write(join(folder, addonFile), addon);
}

/** Why an addon is not for here, and which is. */
function faultsOf(about: Partial<About>, here: About): string[] {
  const faults: string[] = [];
  if (about.arch !== here.arch)
    faults.push(
      `it is for ${about.arch}, this machine is ${here.arch}: take the one named linux-${here.arch}`,
    );
  if (about.bun !== here.bun)
    faults.push(`it is for Bun ${about.bun}, this is ${here.bun}: take the one named bun${here.bun}`);
  if (Bun.semver.order(`${about.glibc}.0`, `${here.glibc}.0`) > 0)
    faults.push(
      `it needs glibc ${about.glibc}, here is ${here.glibc}: take one that was built on an older system`,
    );
  if (faults.length === 0 && about.key !== here.key)
    faults.push(`it is of other sources (${about.key}): take the one of this version, named ${here.key}`);
  return faults;
}

async function digestBeside(path: string): Promise<string | undefined> {
  const file = Bun.file(`${path}.sha256`);
  return (await file.exists()) ? (await file.text()).split(/\s/)[0] : undefined;
}

async function read(path: string, refuse: (why: string) => UserError): Promise<Uint8Array> {
  if (!existsSync(path)) throw refuse("there is no such file.");
  return Bun.file(path).bytes();
}

function fetched(machine: Machine, url: string, refuse: (why: string) => UserError): Promise<Uint8Array> {
  const signal = AbortSignal.any([AbortSignal.timeout(FETCH_LIMIT_MS), machine.stop]);
  return showingProgress(machine, `fetching ${url}`, async () => {
    try {
      const answer = await fetch(url, { signal });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      return await answer.bytes();
    } catch (error) {
      machine.stop.throwIfAborted();
      throw refuse(`it could not be fetched (${(error as Error).message}).`);
    }
  });
}

const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

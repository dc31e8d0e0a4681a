// A slim base image made of this machine's own Debian or Ubuntu packages, for where no registry answers: from the
// mirror that the machine is set to, and trusting whom the machine trusts, so that builds on it reach what it reaches.
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must } from "../../kit/capture.ts";
import { cachePath, type Machine } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";
import { UserError } from "../../kit/user-error.ts";
import { aptInstall, mayInstall } from "../setup/apt.ts";
import { digest, markingInstruction, recipeOf } from "./recipe.ts";

const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** Tells one base from another: this recipe, on a machine that trusts these authorities. */
export async function baseRecipe(): Promise<string> {
  const trusted = Bun.file(certificates);
  return digest([
    await Bun.file(import.meta.path).text(),
    (await trusted.exists()) ? await trusted.text() : "",
  ]);
}

/** Makes the base image where it is missing or out of date, and returns its name. */
export async function ensureBase(machine: Machine): Promise<string> {
  if (!mayInstall(machine)) {
    throw new UserError(
      "No image registry answers, and stand-ins are built from packages as root on Debian or Ubuntu only.",
    );
  }
  const { suite, mirror, components, sources } = await packageSources();
  const image = `coffee-orders/base:${suite}`;
  const recipe = await baseRecipe();
  if ((await recipeOf(image)) === recipe) return image;

  await aptInstall([["debootstrap"]], machine);
  await mkdir(cachePath(machine), { recursive: true });
  const scratch = await mkdtemp(cachePath(machine, "base-"));
  try {
    const root = join(scratch, "root");
    const include = ["--variant=minbase", "--include=ca-certificates", `--components=${components}`];
    await step(
      machine,
      "building a base image from packages",
      ["debootstrap", ...include, suite, root, mirror],
      {
        limitMs: 600_000,
      },
    );
    await writeFile(join(root, "etc/apt/sources.list"), `${sources.join("\n")}\n`);
    await writeFile(join(root, "etc/apt/apt.conf.d/90slim"), 'APT::Install-Recommends "false";\n');
    await writeFile(
      join(root, "etc/dpkg/dpkg.cfg.d/90slim"),
      slim.map((folder) => `path-exclude=/${folder}/*\n`).join(""),
    );
    await trustWhomTheMachineTrusts(root);
    const superfluous = ["var/cache/apt/archives", ...slim].map((folder) => join(root, folder));
    await must(["find", ...superfluous, "-type", "f", "-delete"], { limitMs: 60_000 });
    const script = 'tar -C "$0" -c . | docker import --change "$1" - "$2"';
    await step(
      machine,
      `importing ${image}`,
      ["bash", "-o", "pipefail", "-c", script, root, markingInstruction(recipe), image],
      { limitMs: 300_000 },
    );
  } finally {
    await must(["rm", "-rf", "--one-file-system", scratch], { limitMs: 60_000 });
  }
  return image;
}

/** Emptied, and kept empty when packages are installed later. */
const slim = ["doc", "man", "info", "locale"].map((name) => `usr/share/${name}`);

/** Where this machine's own packages come from, as apt itself tells it. */
async function packageSources() {
  const os = await Bun.file("/etc/os-release").text();
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(os)?.[1] ?? "";
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)";
  const listed = await must(["apt-get", "indextargets", "--format", format, "Created-By: Packages"], {
    limitMs: 30_000,
  });
  const own = listed
    .split("\n")
    .map((line) => line.split(" "))
    .filter(
      ([, release = "", , origin = ""]) => release.startsWith(suite) && /^(Debian|Ubuntu)$/.test(origin),
    );
  const main = own.filter(([, release]) => release === suite);
  const mirror = main[0]?.[0];
  if (!suite || !mirror)
    throw new UserError("apt names no source of this machine's own Debian or Ubuntu packages.");
  return {
    suite,
    mirror,
    components: [...new Set(main.map(([, , component]) => component))].join(","),
    sources: [...new Set(own.map(([uri, release, component]) => `deb ${uri} ${release} ${component}`))],
  };
}

/** One file for each authority, as both OpenSSL's and Java's stores are made of files with one each. */
async function trustWhomTheMachineTrusts(root: string): Promise<void> {
  const bundle = await Bun.file(certificates).text();
  const known = await Bun.file(join(root, certificates)).text();
  const all = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
  const own = all.filter((certificate) => !known.includes(certificate));
  for (const [index, certificate] of own.entries()) {
    await writeFile(join(root, `usr/local/share/ca-certificates/machine-${index}.crt`), certificate);
  }
  await must(["chroot", root, "update-ca-certificates"], { limitMs: 60_000 });
}

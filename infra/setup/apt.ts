// Debian's and Ubuntu's package manager: one update and one install for everything that is wanted.
import { existsSync, readFileSync } from "node:fs";
import { ask, cachePath, isAtLeast, type Machine, which } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";
import { UserError } from "../../kit/user-error.ts";

const UPDATE_LIMIT_MS = 5 * 60_000;
const INSTALL_LIMIT_MS = 15 * 60_000;
const PATIENCE = ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"];

/** Packages any of which will do, the best first; "name>=version" where an older one will not. */
export type Choice = string[];

/** Whether we may install packages here. */
export function mayInstall(machine: Machine): boolean {
  return machine.root && which(machine, "apt-get") !== undefined;
}

/** Installs a package for each choice; where the machine's sources offer none, that choice stays without. */
export async function aptInstall(choices: Choice[], machine: Machine): Promise<void> {
  let sources: string[] = [];
  await update(sources, machine);
  let chosen = await pickAll(choices, sources, machine);
  if (chosen.includes(undefined)) {
    const withMore = await withBackports(machine);
    if (withMore && (await update(withMore, machine))) {
      sources = withMore;
      chosen = await pickAll(choices, sources, machine);
    }
  }
  const packages = [...new Set(chosen.filter((name) => name !== undefined))];
  if (packages.length === 0) return;
  const install = () =>
    step(
      machine,
      `apt-get install ${packages.join(" ")}`,
      [
        ...["apt-get", "install", "-y", "--no-install-recommends", ...PATIENCE, ...sources],
        ...["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", ...packages],
      ],
      { limitMs: INSTALL_LIMIT_MS, env: aptEnv(machine) },
    );
  try {
    await install();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    machine.say(`  ${error.message.split("\n")[0]} Once more, with fresh lists.`);
    await update(sources, machine);
    await install();
  }
}

/** The best package of a choice among what is offered (name → version), or undefined. */
export function pick(choice: Choice, offered: Map<string, string>): string | undefined {
  return choice
    .map((wanted) => wanted.split(">=") as [name: string, minimum?: string])
    .find(([name, minimum = "0"]) => isAtLeast(offered.get(name) ?? "", minimum))?.[0];
}

/** What `apt-cache policy` says can be installed: name → version. */
export function parsePolicy(printed: string): Map<string, string> {
  const rows = printed.matchAll(/^(\S+):\n(?: {2}.*\n)*? {2}Candidate: (?!\(none\))(\S+)/gm);
  return new Map([...rows].map(([, name = "", version = ""]) => [name, version]));
}

/** A source that can't be reached is none of our business unless something we want is missing afterwards. */
async function update(sources: string[], machine: Machine): Promise<boolean> {
  try {
    await step(machine, "apt-get update", ["apt-get", "update", ...PATIENCE, ...sources], {
      limitMs: UPDATE_LIMIT_MS,
      env: aptEnv(machine),
    });
    return true;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    machine.say(`  ${error.message}\n  Going on with the package lists that are here.`);
    return false;
  }
}

async function pickAll(
  choices: Choice[],
  sources: string[],
  machine: Machine,
): Promise<(string | undefined)[]> {
  const names = choices.flat().map((wanted) => wanted.split(">=")[0] ?? wanted);
  const offered = parsePolicy(`${await ask(machine, "apt-cache", ...sources, "policy", ...names)}\n`);
  return choices.map((choice) => pick(choice, offered));
}

/**
 * Debian's backports for these calls alone, from the mirror that the machine already uses: a stable release may be
 * too old for one of the tools, and nobody's list of sources is ours to change.
 */
async function withBackports(machine: Machine): Promise<string[] | undefined> {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || !codename) return undefined;
  const format = "$(CODENAME) $(COMPONENT) $(REPO_URI)";
  const targets = await ask(machine, "apt-get", "indextargets", "--format", format, "Identifier: Packages");
  const own = targets?.split("\n").find((target) => target.startsWith(`${codename} main `));
  if (!own) return undefined;
  const list = cachePath(machine, "backports.list");
  const usual = existsSync("/etc/apt/sources.list") ? readFileSync("/etc/apt/sources.list", "utf8") : "";
  const keys = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";
  await Bun.write(list, `${usual}\ndeb [${keys}] ${own.split(" ")[2]} ${codename}-backports main\n`);
  return ["-o", `Dir::Etc::sourcelist=${list}`];
}

function aptEnv(machine: Machine): Record<string, string | undefined> {
  return { ...machine.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
}

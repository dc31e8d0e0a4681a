/**
 * The stage in the background, as `make up` starts it and `make down` ends it: one for each Compose project, known by a
 * note in the user's cache. The note is trusted only while its process is a stage.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startInBackground } from "../kit/background.ts";
import { cachePath, type Machine } from "../kit/machine.ts";
import { portOf } from "../kit/ports.ts";
import { tail } from "../kit/step.ts";
import { comesTrue } from "../kit/until.ts";
import { UserError } from "../kit/user-error.ts";

const entry = join(import.meta.dir, "..", "stage", "main.ts");
const startLimitMs = 20_000;
const endLimitMs = 10_000;
const usualPort = 8088;

interface Note {
  pid: number;
  url: string;
}

/** Where the stage listens. @throws UserError */
export const stagePort = (env: Record<string, string | undefined>): number =>
  portOf("STAGE_PORT", env.STAGE_PORT || String(usualPort));

/** This user's token, the same at each start, so that a page that is open outlives a restart. */
export async function ownToken(machine: Machine): Promise<string> {
  const path = cachePath(machine, "stage", "token");
  const known = await Bun.file(path)
    .text()
    .catch(() => "");
  if (/^[\w-]{43}$/.test(known)) return known;
  const token = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, token, { mode: 0o600 });
  return token;
}

/** Notes that this process is a project's stage; not beside another one, which would be ended by nobody then. */
export async function noteService(machine: Machine, project: string, url: string) {
  if (noted(machine, project)) return { remove: async () => undefined };
  const path = notePath(machine, project);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ pid: process.pid, url }), { mode: 0o600 });
  return { remove: async () => rmSync(path, { force: true }) };
}

/**
 * Starts a project's stage in the background, unless it runs already.
 * @returns its address; @throws UserError with what it said last
 */
export async function startService(machine: Machine, project: string): Promise<string> {
  const running = noted(machine, project);
  if (running) return running.url;
  const log = cachePath(machine, "logs", `stage-${project}.log`);
  const { kill, ended } = startInBackground([process.execPath, entry, "--project", project], {
    log,
    env: machine.env,
  });
  await comesTrue(() => ended() || noted(machine, project) !== undefined, startLimitMs);
  const started = noted(machine, project);
  if (started) return started.url;
  kill("SIGTERM");
  throw new UserError(`The stage did not start. The end of ${log}:\n${await tail(log)}`);
}

/** The address of a stage in the background that listens on a port; undefined: none does. */
export function stageAt(machine: Machine, port: number): string | undefined {
  const folder = dirname(notePath(machine, ""));
  const projects = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  const urls = projects.map((name) => noted(machine, name.slice(0, -".json".length))?.url);
  return urls.find((url) => url && new URL(url).port === String(port));
}

/** Ends a project's stage, where there is one. */
export async function endService(machine: Machine, project: string): Promise<void> {
  const running = noted(machine, project);
  if (!running) return;
  process.kill(running.pid, "SIGTERM");
  if (!(await comesTrue(() => noted(machine, project) === undefined, endLimitMs)))
    process.kill(running.pid, "SIGKILL");
  rmSync(notePath(machine, project), { force: true });
}

const notePath = (machine: Machine, project: string) => cachePath(machine, "stage", `${project}.json`);

/** What is noted of a stage that runs. Source: proc(5), /proc/pid/cmdline. */
function noted(machine: Machine, project: string): Note | undefined {
  try {
    const note: Note = JSON.parse(readFileSync(notePath(machine, project), "utf8"));
    return readFileSync(`/proc/${note.pid}/cmdline`, "utf8").includes(entry) ? note : undefined;
  } catch {
    return undefined;
  }
}

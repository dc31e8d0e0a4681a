// A Docker daemon that answers: the one that is there, else one that we start and whoever asked for it can stop.
import { existsSync } from "node:fs";
import { startInBackground } from "../../kit/background.ts";
import { ask, cachePath, type Machine, withTools } from "../../kit/machine.ts";
import { showingProgress, tail } from "../../kit/step.ts";
import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";

/**
 * Ports are published by the kernel: Docker's own proxy takes six descriptors for each connection, and ends where there are no
 * more, as in an overload on a machine that allows 20,000.
 */
const daemonArgv = ["dockerd", "--userland-proxy=false"];
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 60_000;

export interface Daemon {
  /** Set if we started it. */
  pid?: number;
  /** Ends it if we started it, else leaves it be. */
  stop(): Promise<void>;
}

export interface DaemonProgram {
  argv: string[];
  cwd?: string;
  answers(): Promise<boolean>;
  startLimitMs?: number;
}

/** Whether a daemon answers that we may use. */
export async function dockerAnswers(machine: Machine): Promise<boolean> {
  return Boolean(await ask(machine, "docker", "version", "--format", "{{.Server.Version}}"));
}

/** Makes sure that a daemon answers; starting one takes root. */
export async function dockerDaemon(machine: Machine): Promise<Daemon> {
  const answers = () => dockerAnswers(machine);
  if (await answers()) return { stop: async () => {} };
  if (!machine.root) throw new UserError("No Docker daemon answers that this user may use: start one.");
  if (!existsSync("/run/systemd/system")) return startDaemon(machine, { argv: daemonArgv, answers });
  await ask(machine, "systemctl", "start", "docker");
  if (!(await comesTrue(answers, START_LIMIT_MS)))
    throw new UserError("systemctl start docker: the daemon does not answer. See journalctl -u docker.");
  return {
    stop: async () => {
      await ask(machine, "systemctl", "stop", "docker.socket", "docker");
    },
  };
}

/** Starts a daemon by hand, where no service manager does; it outlives us unless it is stopped. */
export async function startDaemon(machine: Machine, program: DaemonProgram): Promise<Daemon> {
  const log = cachePath(machine, "logs", "dockerd.log");
  const { pid, kill, ended } = startInBackground(program.argv, {
    log,
    env: withTools(machine),
    cwd: program.cwd,
  });
  const stop = async () => {
    kill("SIGTERM");
    if (!(await comesTrue(ended, STOP_LIMIT_MS))) kill("SIGKILL");
  };
  const limitMs = program.startLimitMs ?? START_LIMIT_MS;
  const answered = await showingProgress(machine, "starting the Docker daemon", () =>
    comesTrue(async () => ended() || machine.stop.aborted || (await program.answers()), limitMs),
  );
  if (answered && !ended() && !machine.stop.aborted) return { pid, stop };
  await stop();
  machine.stop.throwIfAborted();
  throw new UserError(`The Docker daemon did not come up. The end of ${log}:\n${await tail(log)}`);
}

// Gets an official image, and tells apart a registry that does not have it from one that does not answer: only the
// second is a reason for a stand-in.
import { capture } from "../../kit/capture.ts";
import { type Machine, withTools } from "../../kit/machine.ts";
import { showingProgress } from "../../kit/step.ts";
import { UserError } from "../../kit/user-error.ts";

const PULL_LIMIT_MS = 900_000;
const silentRegistries = new Set<string>();

/** Pulls an image; false where no registry answers. One that was silent once is not asked again. */
export async function pull(machine: Machine, image: string, answerLimitMs = 20_000): Promise<boolean> {
  const registry = /^([^/]+[.:][^/]*)\//.exec(image)?.[1] ?? "the default registry";
  if (silentRegistries.has(registry)) return false;

  const noAnswer = new AbortController();
  const timer = setTimeout(() => noAnswer.abort(), answerLimitMs);
  const stop = AbortSignal.any([noAnswer.signal, machine.stop]);
  const { code, stdout, stderr } = await showingProgress(machine, `pulling ${image}`, () =>
    // Its first line comes with the registry's first answer.
    capture(["docker", "pull", image], {
      limitMs: PULL_LIMIT_MS,
      env: withTools(machine),
      stop,
      onLine: (line) => line.includes("Pulling from") && clearTimeout(timer),
    }),
  );
  clearTimeout(timer);
  machine.stop.throwIfAborted();
  if (code === 0) return true;

  const answered =
    /Pulling from/.test(stdout) || /manifest|repository does not exist|toomanyrequests/.test(stderr);
  if (answered) throw new UserError(`${image} could not be pulled: ${stderr.trim()}`);
  silentRegistries.add(registry);
  machine.say(
    `  ${registry} does not answer: ${stderr.trim().split("\n").at(-1) || `no word within ${answerLimitMs / 1000} s`}`,
  );
  return false;
}

// The usual topology and the secured one are apart, each with its data: who means one where only the other runs is told.
import { must } from "../kit/capture.ts";
import { UserError } from "../kit/user-error.ts";

const CALL_LIMIT_MS = 30_000;
/** Of compose.yaml, and of what is laid over it where it is secured. */
const usualProjects = ["coffee-orders", "coffee-orders-secure"];

/** @param project Compose's name of what is meant; undefined: either of the usual ones */
export function createOther(project: string | undefined, secured: boolean) {
  /** Whether only the other one runs. */
  async function otherRuns(): Promise<boolean> {
    const label = (name: string) => `{{.Label "com.docker.compose.project${name}"}}`;
    const balancers = "label=com.docker.compose.service=haproxy";
    const format = `${label("")} ${label(".config_files")}`;
    const argv = ["docker", "ps", "--filter", balancers, "--format", format];
    const running = (await must(argv, { limitMs: CALL_LIMIT_MS })).split("\n").flatMap((line) => {
      const [name = "", ...files] = line.split(" ");
      // Of whichever checkout.
      const isSecure = files.join(" ").includes("/infra/secure/compose.yaml");
      return (project ? [project] : usualProjects).includes(name) ? [isSecure] : [];
    });
    return running.length > 0 && !running.includes(secured);
  }

  return {
    otherRuns,
    /** @param command as it is typed. @throws UserError where only the other one runs, with what to type instead */
    refuseOther: async (command: string) => {
      if (!(await otherRuns())) return;
      throw new UserError(
        secured
          ? `The topology that runs is not secured: ${command}, without SECURE=1.`
          : `The topology that runs is secured: SECURE=1 ${command}`,
      );
    },
  };
}

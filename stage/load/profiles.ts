/**
 * The load by k6: a few of its profiles at rates that a small machine holds beside the topology, by what `bun run load` does.
 * Every answer goes to the same record as that of the load by hand, as it comes. One at a time; it ends by itself, when it is
 * told to, and with the stage.
 */
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { thisMachine, which } from "../../kit/machine.ts";
import { type ProfileName, type ProfileView, profileNames } from "../../page/state.ts";
import type { ClientAnswer } from "../../proof/client/answers.ts";
import { type LoadOptions, startLoadRun } from "../../proof/load/run.ts";
import { cut } from "../orders/letters.ts";
import { Refused } from "../refused.ts";

const durationSeconds = 30;
/** It may be all that k6 had to say. */
const errorLength = 300;

const profiles: Record<ProfileName, Pick<LoadOptions, "profile" | "rate" | "batchEvery">> = {
  steady: { profile: "steady", rate: 100 },
  burst: { profile: "spike", rate: 300 },
  mix: { profile: "steady", rate: 100, batchEvery: 4 },
};

interface Surroundings {
  /** Of the balancer. */
  url: string;
  /** What that asks for, where it does. */
  access: EdgeAccess | undefined;
  hear(answers: readonly ClientAnswer[]): void;
  changed(): void;
}

export function createProfiles({ url, access, hear, changed }: Surroundings) {
  let view: ProfileView | undefined;
  let stopping = new AbortController();
  let running: Promise<void> | undefined;

  function told(answers: readonly ClientAnswer[]): void {
    hear(answers);
    if (!view) return;
    const accepted = answers.filter(({ fate }) => fate === "accepted").length;
    view = { ...view, answered: view.answered + answers.length, accepted: view.accepted + accepted };
  }

  async function run(options: LoadOptions): Promise<void> {
    let end: Pick<ProfileView, "crossed" | "error">;
    try {
      const { crossed } = await startLoadRun(options).done;
      end = { crossed, error: "" };
    } catch (error) {
      end = { crossed: [], error: cut((error as Error).message, errorLength) };
    }
    view = { ...(view as ProfileView), ...end, running: false, stopped: stopping.signal.aborted };
    changed();
  }

  return {
    /** @returns the command that does the same; @throws Refused */
    start(name: string): string {
      const known = profileNames.find((one) => one === name);
      if (!known) throw new Refused(`there is no profile ${name}`);
      if (view?.running) throw new Refused(`k6 runs already: ${view.name}`);
      if (!which(thisMachine(), "k6")) throw new Refused("k6 is not here: «bun run load» installs it");
      const { profile, rate, batchEvery } = profiles[known];
      stopping = new AbortController();
      view = {
        ...{ name: known, running: true, stopped: false, startedMs: Date.now(), durationS: durationSeconds },
        ...{ answered: 0, accepted: 0, crossed: [], error: "" },
      };
      const mix = batchEvery === undefined ? {} : { batchEvery };
      running = run({ url, access, profile, rate, durationSeconds, ...mix, stop: stopping.signal, told });
      return `${access ? "SECURE=1 " : ""}bun run load --profile ${profile} --rate ${rate} --duration ${durationSeconds}s`;
    },
    view: () => view,
    /** Ends it, where it runs: what is under way is unknown then. */
    async stop(): Promise<void> {
      if (view?.running) stopping.abort(new Error("k6 was stopped"));
      await running;
    },
  };
}

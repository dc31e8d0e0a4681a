// Twice as much as the system holds, which is found out first, for a minute, by clients that wait for a short time only and
// never try again. Much is to be refused, and that truly: what is judged is that nothing is lost, doubled or refused and yet
// there, not how much is accepted.

import type { Container } from "../../../infra/topology.ts";
import { thisMachine, which } from "../../../kit/machine.ts";
import { UserError } from "../../../kit/user-error.ts";
import type { ClientAnswer } from "../../history/history.ts";
import { heldRate } from "../../load/held.ts";
import { overloadUsers } from "../../load/profiles.ts";
import { startLoadRun } from "../../load/run.ts";
import { unpublished } from "../../run/settle.ts";
import { type System, tierOf } from "../../system/system.ts";
import { type Fault, inWords } from "../fault.ts";
import { end } from "../restart.ts";

const seconds = 60;
/** So that a connection is free again for the next request, however long the system takes: an open loop. */
const onlyTryMs = 2_000;
/** More batches than usual: each connection waits for one request, and single orders alone would be no overload. */
const batchEvery = 10;

export const overload: Fault = {
  what: "sends the balancer twice as many orders as the system takes, for a minute",
  inject: async (system, targets, { stop, told, ratePerS = 0 }) => {
    refuse(targets);
    const { url, access } = system;
    const ending = stop ?? new AbortController().signal;
    const held = await heldRate({ url, access, batchEvery, stop: ending, ...(told && { told }) });
    const rate = Math.round(2 * (held + ratePerS) - ratePerS);
    const before = await ejections(system);
    const usual = { url, access, profile: "steady", rate, durationSeconds: seconds } as const;
    const { answers, dropped } = await startLoadRun({
      ...usual,
      users: overloadUsers,
      batchEvery,
      onlyTryMs,
      stop: ending,
    }).done;
    told?.(answers);
    ending.throwIfAborted();
    const ejected = (await ejections(system)) - before;
    const each = (value: number) => Math.round(value / seconds);
    return (
      `${Math.round(held)} orders/s were taken beside ${ratePerS}; ${each(answers.length)}/s were sent for ${seconds} s ` +
      `(${dropped} requests of ${rate} orders/s were not, for want of connections), ${each(acceptedOf(answers))}/s accepted: ` +
      `${inWords(answers)}; producers ejected ${ejected} times${await publishAgain(system, targets)}`
    );
  },
  heal: async () => {},
};

const acceptedOf = (answers: readonly ClientAnswer[]) =>
  answers.filter(({ fate }) => fate === "accepted").length;

function refuse(targets: Container[]): void {
  if (!which(thisMachine(), "k6")) throw new UserError("k6 is not there, which `bun run load` brings.");
  const other = targets.find((one) => tierOf(one) !== "balancer");
  if (other) throw new UserError(`Orders go to the balancer, not to ${other.name}.`);
}

/** Docker's proxy, through which the balancer is reached, may have ended: that says nothing of the system. @returns a remark */
async function publishAgain(system: System, targets: Container[]): Promise<string> {
  const gone = await unpublished(await system.again(targets));
  if (gone.length === 0) return "";
  for (const one of targets) {
    await end(system, one);
    await system.topology.start(one);
  }
  return `; from some moment on nobody was reached. ${gone.join("; ")}: that was done`;
}

/** How often the balancer has taken a producer out so far. */
async function ejections({ ports }: System): Promise<number> {
  const csv = await (await fetch(`http://127.0.0.1:${ports.LB_STATS_PORT}/;csv`)).text();
  const [names = [], ...rows] = csv
    .trim()
    .split("\n")
    .map((line) => line.replace(/^# /, "").split(","));
  const [proxy, server, downs] = ["pxname", "svname", "chkdown"].map((name) => names.indexOf(name));
  return rows
    .filter((row) => row[proxy as number] === "producers" && row[server as number] !== "BACKEND")
    .reduce((sum, row) => sum + Number(row[downs as number] || 0), 0);
}

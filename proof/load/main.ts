/**
 * Puts load on the balancer with k6 and holds what the client was told against the ledger: every accepted order is
 * there once, with one ticket. After `make up`: `bun run load --profile steady --rate 1000`.
 */
import { begin } from "../../infra/setup/prepare.ts";
import { understood } from "../../kit/arguments.ts";
import { stopWhenTold } from "../../kit/child.ts";
import { thisMachine } from "../../kit/machine.ts";
import { readLoadArguments, usage } from "./arguments.ts";
import { whyNotAt } from "./reach.ts";

const settings = understood(() => readLoadArguments(Bun.argv.slice(2)));
if (!settings) {
  console.log(usage);
  process.exit(0);
}
const machine = thisMachine(stopWhenTold());
try {
  // Said at once: to bring k6, and to send orders to nobody for ten seconds, tells less.
  const why = await whyNotAt(settings);
  if (why) throw new Error(why);
  await begin("load", machine);
  // Not before: what it is made of is brought by that.
  const { load } = await import("./load.ts");
  process.exitCode = await load(settings, machine);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}

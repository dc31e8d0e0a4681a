/** `bun run dead`: what was given up, why, and what to do about it. `bun run dead --help` says how. */

import { UserError } from "../../kit/user-error.ts";
import { ConfigError, consumerConfig, type KafkaConfig, kafkaConfig } from "../../src/config.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { openTopicReader, type TopicReader } from "../read-topic.ts";
import { type DeadCommand, type LetterPlace, readDeadCommand, usage } from "./arguments.ts";
import { counted } from "./letters.ts";
import { list, show } from "./list.ts";
import { planPurge, purge } from "./purge.ts";
import { foresee, redrive } from "./redrive.ts";

try {
  const command = readDeadCommand(Bun.argv.slice(2));
  if (command.name === "help") console.log(usage);
  else await run(command, kafkaConfig());
} catch (error) {
  const { message } = error as Error;
  console.error(error instanceof ConfigError ? message : `dead: ${message}`);
  if (error instanceof UserError) console.error("Say «bun run dead --help» for its usage.");
  process.exitCode = error instanceof UserError ? 2 : 1;
}

type Asked<Name> = Extract<DeadCommand, { name: Name }>;

async function run(command: Exclude<DeadCommand, { name: "help" }>, config: KafkaConfig): Promise<void> {
  const reader = await openTopicReader(config, config.DEAD_TOPIC);
  try {
    if (command.name === "list") console.log(await list(reader, command));
    else if (command.name === "show") console.log(await show(reader, command));
    else if (command.name === "redrive") await redriveAndSay(config, reader, command);
    else await askAndPurge(config, reader, command);
  } finally {
    await reader.close();
  }
}

async function redriveAndSay(
  config: KafkaConfig,
  reader: TopicReader,
  command: Asked<"redrive">,
): Promise<void> {
  if (command.dryRun) return foreseeAndSay(reader, command);
  const say = (document: object) => console.log(JSON.stringify(document));
  const done = await redrive(config, reader, command, command.json ? say : undefined);
  const { meant, repeated, acknowledged, failed, error, stoppedAt } = done;
  if (command.json) say(done);
  else {
    console.log(
      `${counted(meant)} meant: ${acknowledged} sent to ${config.ORDERS_TOPIC} and acknowledged, ` +
        `${repeated} the same record as another, ${failed} failed.`,
    );
    sayWhere(stoppedAt);
  }
  if (failed > 0) throw new Error(`${error}; repeat the command, which is harmless`);
}

function sayWhere(stoppedAt: LetterPlace | undefined): void {
  if (stoppedAt)
    console.log(
      `Stopped at the limit; go on with the same command and --after ${stoppedAt.partition}/${stoppedAt.offset}`,
    );
}

async function foreseeAndSay(reader: TopicReader, command: Asked<"redrive">): Promise<void> {
  const config = consumerConfig();
  const options = { connections: 1, handlerTimeoutMs: config.HANDLER_TIMEOUT_MS };
  const ledger = createLedger(config.LEDGER_URL, options);
  try {
    const { letters, stoppedAt } = await foresee(config, ledger, reader, command);
    if (command.json) return console.log(JSON.stringify({ letters, stoppedAt }));
    for (const { place, handled, gone = "would be handled" } of letters)
      console.log(
        `${place.partition}/${place.offset}  ${handled ? "no second effect: the ledger has its order" : gone}`,
      );
    const handled = letters.filter((letter) => letter.handled).length;
    console.log(
      `${counted(letters.length)} meant, ${handled} without a second effect. Dry run: nothing was sent.`,
    );
    sayWhere(stoppedAt);
  } finally {
    await ledger.close();
  }
}

async function askAndPurge(config: KafkaConfig, reader: TopicReader, command: Asked<"purge">): Promise<void> {
  const plan = await planPurge(reader, command.beforeMs);
  if (plan.letters === 0) return console.log("Nothing to delete.");
  const question = `Delete ${counted(plan.letters)} of ${config.DEAD_TOPIC} for good? [y/N] `;
  if (!command.yes && !(await confirmed(question))) throw new Error("nothing was deleted");
  await purge(config, plan);
  console.log(`Deleted ${counted(plan.letters)} of ${config.DEAD_TOPIC}.`);
}

async function confirmed(question: string): Promise<boolean> {
  process.stdout.write(question);
  for await (const line of console) return /^y(es)?$/i.test(line.trim());
  return false;
}

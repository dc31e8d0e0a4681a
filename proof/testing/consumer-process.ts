/**
 * A consumer composed from the project's own parts as src/handling/tier.ts does it, with one of them wrong if so told:
 * `commits-first` calls every record finished when it comes in, `no-key` has a ledger that knows no order twice.
 * Run by tests as a process, so that it can be killed. The handler takes its time: there is work under way when it is.
 */

import { consumerConfig } from "../../src/config.ts";
import { handler, migrations } from "../../src/handle.ts";
import { createDeadLetters } from "../../src/handling/dead-letters.ts";
import { createGroupMember } from "../../src/handling/group-member.ts";
import { createHandlingMetrics } from "../../src/handling/metrics.ts";
import { createProcessor } from "../../src/handling/processor.ts";
import type { Work } from "../../src/handling/work.ts";
import { openConsumer, type Rebalance } from "../../src/kafka/consumer.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { realClock } from "../../src/runtime/clock.ts";
import { createLogger } from "../../src/runtime/log.ts";
import { createRegistry } from "../../src/runtime/metrics.ts";
import { startWith } from "../../src/runtime/shutdown.ts";
import { createKeylessLedger } from "./keyless-ledger.ts";

export type ConsumerMutation = "none" | "commits-first" | "no-key";

const handlingMs = 40;

if (import.meta.main) await consume(Bun.argv[2] as ConsumerMutation);

async function consume(mutation: ConsumerMutation): Promise<void> {
  const config = startWith(consumerConfig);
  const log = createLogger("consumer", config);
  const metrics = createHandlingMetrics(createRegistry(config.INSTANCE));
  const options = { connections: config.HANDLER_CONCURRENCY, handlerTimeoutMs: config.HANDLER_TIMEOUT_MS };
  const ledger =
    mutation === "no-key" ? createKeylessLedger(config.LEDGER_URL) : createLedger(config.LEDGER_URL, options);
  await ledger.open(migrations);
  const demands: Rebalance[] = [];
  const consumer = await openConsumer(config, {
    onRebalance: (rebalance) => demands.push(rebalance),
    onError: (message) => log.warn({ kafka: message }, "Kafka client"),
  });
  const processor = createProcessor(config, {
    ledger,
    deadLetters: createDeadLetters(config, log),
    handler: {
      async apply(order, context) {
        await Bun.sleep(handlingMs);
        if ("apply" in handler) await handler.apply(order, context);
      },
    },
    ...{ metrics, log, clock: realClock, random: Math.random },
  });
  const commitsFirst = {
    ...processor,
    push(works: readonly Work[]) {
      for (const { tracker, record } of works) tracker.finish(record);
      processor.push(works);
    },
  };
  await createGroupMember(config, {
    consumer,
    demands,
    processor: mutation === "commits-first" ? commitsFirst : processor,
    metrics,
    log,
    clock: realClock,
  }).run();
}

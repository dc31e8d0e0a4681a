/**
 * A whole system for one test: brokers that are there already, a database of its own, consumers that can be killed,
 * and a client that keeps its record. What is asked in the end is the history, collected as that of any run.
 */
import { join } from "node:path";
import { SQL } from "bun";
import { eachLine } from "../../kit/lines.ts";
import { until } from "../../kit/until.ts";
import { consumerConfig } from "../../src/config.ts";
import { openTopics } from "../../testing/kafka.ts";
import type { PostgresServer } from "../../testing/postgres.ts";
import { batchOf, type MixedRequest, orderOf } from "../client/mix.ts";
import { createTold } from "../client/told.ts";
import { collectFrom } from "../history/collect.ts";
import { type CommitSampler, startSampler } from "../history/collect-commits.ts";
import type { ClientAnswer, History } from "../history/history.ts";
import { reconcile } from "../verdict/reconcile.ts";
import type { Verdict } from "../verdict/verdict.ts";
import type { ConsumerMutation } from "./consumer-process.ts";
import type { TestProducer } from "./intakes.ts";

const settleLimitMs = 60_000;
/** librdkafka's code, as Kafka's (protocol, error codes). */
const notCoordinator = 16;
export type SmallSystem = Awaited<ReturnType<typeof startSmallSystem>>;

/** @param kafka the variables that name the brokers and the topics */
export async function startSmallSystem(server: PostgresServer, kafka: Record<string, string>) {
  const env = { ...kafka, LEDGER_URL: await server.newDatabase() };
  const config = consumerConfig(env);
  const topics = openTopics(config.KAFKA_BROKERS);
  const ledger = new SQL({ url: env.LEDGER_URL, max: 2 });
  const consumers = createConsumers(env, config.TOPIC_PARTITIONS);
  const client = createClient();
  let sampler: CommitSampler | undefined;

  return {
    env,
    ...client,

    /** Starts a consumer and waits until every partition has its owner. */
    async startConsumer(mutation: ConsumerMutation) {
      const child = await consumers.start(mutation);
      sampler ??= await startSampler(config, { everyMs: 50 });
      return {
        /** Ends it as a power cut would. */
        async kill() {
          child.kill("SIGKILL");
          await child.exited;
        },
      };
    },

    /** How many orders the ledger has so far. */
    async handled(): Promise<number> {
      const [row] = await ledger`SELECT count(DISTINCT id)::int AS count FROM ledger`;
      return row.count;
    },

    /** Waits until the group is done with the whole log, and judges. */
    async verdict(): Promise<{ history: History; verdict: Verdict }> {
      const written = (await topics.read(config.ORDERS_TOPIC)).length;
      await until(
        "the group has committed the whole log",
        () => {
          consumers.mustRun();
          return topics.committed(config.CONSUMER_GROUP, config.ORDERS_TOPIC).then(
            (committed) => committed >= written,
            (error) => {
              // The group's coordinator may have died with its leader: whoever takes its place is asked again.
              if (error.code !== notCoordinator) throw error;
              return false;
            },
          );
        },
        settleLimitMs,
      );
      await sampler?.stop();
      const history = await collectFrom({ consumer: config, ledger }, client.answers, sampler?.commits);
      return { history, verdict: reconcile(history) };
    },

    async [Symbol.asyncDispose]() {
      await consumers.killAll();
      await sampler?.stop();
      await ledger.close();
    },
  };
}

/** Consumers as child processes. */
function createConsumers(env: Record<string, string>, partitions: number) {
  const children: Bun.Subprocess<"ignore", "pipe", "inherit">[] = [];
  return {
    /** Resolves once every partition has its owner. */
    async start(mutation: ConsumerMutation) {
      const child = Bun.spawn([process.execPath, join(import.meta.dir, "consumer-process.ts"), mutation], {
        env: { ...env, SESSION_TIMEOUT_MS: "6000", HANDLER_CONCURRENCY: "1", LEDGER_BATCH_ORDERS: "1" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "inherit",
      });
      children.push(child);
      const owned = new Set<number>();
      void eachLine(child.stdout, (line) => {
        const { msg, kind, partitions = [] } = JSON.parse(line);
        if (msg === "rebalance" && kind === "assign") for (const one of partitions) owned.add(one);
      });
      await until("every partition has its owner", () => owned.size === partitions, settleLimitMs);
      return child;
    },
    /** @throws Error where one ended that nobody killed: nobody is left to wait for. */
    mustRun(): void {
      for (const { exitCode, signalCode } of children)
        if (exitCode !== null || (signalCode !== null && signalCode !== "SIGKILL"))
          throw new Error(`a consumer ended by itself: ${signalCode ?? `exit code ${exitCode}`}`);
    },
    async killAll(): Promise<void> {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map(({ exited }) => exited));
    },
  };
}

/** A client that keeps its record. */
function createClient() {
  const answers: ClientAnswer[] = [];

  async function post(
    request: Omit<MixedRequest, "repeated">,
    to: readonly TestProducer[],
    { deaf = false }: { deaf?: boolean },
  ): Promise<void> {
    const told = createTold(request);
    for (const [n, producer] of to.entries()) {
      const startedMs = Date.now();
      const response = await producer.request(request.path, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": request.key },
        body: request.body,
      });
      const text = await response.text();
      const heard = deaf && n === 0 ? { status: 0, text: null } : { status: response.status, text };
      told.hear({ ...heard, startedMs, endedMs: Date.now() });
    }
    answers.push(...told.answers());
  }

  return {
    answers,
    /** Posts an order once to each of the producers, until one accepts it; the answer of the first may get lost. */
    async order(key: string, customer: string, to: readonly TestProducer[], options = {}): Promise<void> {
      const sent = "single";
      const body = JSON.stringify(orderOf({ key, customer, sent }));
      await post({ ...{ key, body, sent }, path: "/orders", orders: [{ key, customer }] }, to, options);
    },
    /** The same with a batch: the n-th of a run. */
    async batch(run: string, n: number, to: readonly TestProducer[], options = {}): Promise<void> {
      await post(batchOf(run, n), to, options);
    },
  };
}

/** Requests to the brokers that node-rdkafka does not bind. Source of each call: rdkafka.h. */
import type { Pointer } from "bun:ffi";
import type { KafkaConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { clientOptions, connected, disconnect } from "./client.ts";
import { present, rdkafka } from "./ffi.ts";

const pollMs = 20;

/** `send` hands a request to librdkafka, whose answer comes to the queue; `read` reads that, which is freed after it. */
export type Exchange<Answer> = {
  send: (queue: Pointer, client: Pointer) => void;
  read: (event: Pointer) => Answer;
};

/**
 * Makes one request and reads its answer, by a queue of its own, which nothing else comes to.
 * @param signal ends the wait, before the client is disconnected
 * @throws Error with the brokers' words when they refuse; when none answers in time; when the request can't be made
 */
export async function answerTo<Answer>(
  client: Pointer,
  timeoutMs: number,
  { send, read }: Exchange<Answer>,
  signal?: AbortSignal,
): Promise<Answer> {
  const queue = present(rdkafka.rd_kafka_queue_new(client), "queue");
  const poll = () => rdkafka.rd_kafka_queue_poll(queue, 0) as Pointer | null;
  let event: Pointer | null = null;
  try {
    send(queue, client);
    const deadline = performance.now() + timeoutMs;
    for (event = poll(); event === null; event = poll()) {
      if (performance.now() > deadline || signal?.aborted)
        throw new Error(`no broker answered within ${timeoutMs} ms`);
      await Bun.sleep(pollMs);
    }
    if (rdkafka.rd_kafka_event_error(event))
      throw new Error(String(rdkafka.rd_kafka_event_error_string(event)));
    return read(event);
  } finally {
    // Does nothing where none came.
    rdkafka.rd_kafka_event_destroy(event);
    rdkafka.rd_kafka_queue_destroy(queue);
  }
}

export type Asking = ReturnType<typeof openAsking>;

/** Requests by a client that stays open. */
export function openAsking(client: Pointer) {
  const closing = new AbortController();
  const asked = new Set<Promise<unknown>>();
  return {
    /** @throws Error as `answerTo` */
    ask<Answer>(timeoutMs: number, exchange: Exchange<Answer>): Promise<Answer> {
      // The client may be gone by then.
      if (closing.signal.aborted) return Promise.reject(new Error("the Kafka client is closed"));
      const answer = answerTo(client, timeoutMs, exchange, closing.signal);
      asked.add(answer);
      return answer.finally(() => asked.delete(answer));
    },
    /** What is asked ends without an answer. */
    async close(): Promise<void> {
      closing.abort();
      await Promise.allSettled(asked);
    },
  };
}

/** The same by a client of its own. @throws Error as `answerTo`; when no broker answers or the topic is not there */
export async function request<Answer>(
  config: KafkaConfig,
  topic: string,
  timeoutMs: number,
  exchange: Exchange<Answer>,
): Promise<Answer> {
  const client = new Kafka.Producer(clientOptions(config), {});
  const handle = await connected(client, config, topic, (handle) => handle);
  try {
    return await answerTo(handle, timeoutMs, exchange);
  } finally {
    await disconnect(client);
  }
}

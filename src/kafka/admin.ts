/** Requests to the brokers that node-rdkafka does not bind. Source of each call: rdkafka.h. */
import type { Pointer } from "bun:ffi";
import { present, rdkafka } from "./ffi.ts";

const pollMs = 20;

/** `send` hands a request to librdkafka, whose answer comes to the queue; `read` reads that, which is freed after it. */
export type Exchange<Answer> = {
  send: (queue: Pointer, client: Pointer) => void;
  read: (event: Pointer) => Answer;
};

export type Asking = ReturnType<typeof openAsking>;

/** @param client one that is connected, for as long as this is open */
export function openAsking(client: Pointer) {
  const asked = new Set<Promise<unknown>>();
  let closed = false;

  async function answerTo<Answer>(timeoutMs: number, { send, read }: Exchange<Answer>): Promise<Answer> {
    // One of its own, which nothing else comes to.
    const queue = present(rdkafka.rd_kafka_queue_new(client), "queue");
    const poll = () => rdkafka.rd_kafka_queue_poll(queue, 0) as Pointer | null;
    let event: Pointer | null = null;
    try {
      send(queue, client);
      const deadline = performance.now() + timeoutMs;
      for (event = poll(); event === null; event = poll()) {
        if (performance.now() > deadline || closed)
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

  return {
    /**
     * Makes one request and reads its answer.
     * @throws Error with the brokers' words when they refuse; when none answers in time; when the request can't be made
     */
    ask<Answer>(timeoutMs: number, exchange: Exchange<Answer>): Promise<Answer> {
      // The client may be gone by then.
      if (closed) return Promise.reject(new Error("the Kafka client is closed"));
      const answer = answerTo(timeoutMs, exchange);
      asked.add(answer);
      return answer.finally(() => asked.delete(answer));
    },
    /** What is asked ends without an answer. */
    async close(): Promise<void> {
      closed = true;
      await Promise.allSettled(asked);
    },
  };
}

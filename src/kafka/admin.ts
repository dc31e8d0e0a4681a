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
  let [underWay, closed] = [0, false];
  return {
    /** @throws Error with the brokers' words when they refuse; when none answers in time; when the request can't be made */
    async ask<Answer>(timeoutMs: number, { send, read }: Exchange<Answer>): Promise<Answer> {
      // The client may be gone by then.
      if (closed) throw new Error("the Kafka client is closed");
      // One of its own, which nothing else comes to.
      const queue = present(rdkafka.rd_kafka_queue_new(client), "queue");
      const poll = () => rdkafka.rd_kafka_queue_poll(queue, 0) as Pointer | null;
      let event: Pointer | null = null;
      underWay += 1;
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
        underWay -= 1;
      }
    },
    /** What is asked ends without an answer. */
    async close(): Promise<void> {
      closed = true;
      while (underWay > 0) await Bun.sleep(pollMs);
    },
  };
}

/**
 * Tells at once when a client of librdkafka's has something to be polled for, so that nothing waits for a timer and
 * nothing is polled for in vain: librdkafka writes a byte into a pipe when its queue is no longer empty, and Bun's event
 * loop sees it. Source: rdkafka.h, rd_kafka_queue_io_event_enable.
 */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { library } from "./addon.ts";
import { present } from "./admin.ts";

const { ptr: pointer, i32, u64, void: nothing } = FFIType;

const open = () => ({
  ...dlopen(library, {
    rd_kafka_queue_get_main: { args: [pointer], returns: pointer },
    rd_kafka_queue_get_consumer: { args: [pointer], returns: pointer },
    rd_kafka_queue_io_event_enable: { args: [pointer, i32, pointer, u64], returns: nothing },
    rd_kafka_queue_destroy: { args: [pointer], returns: nothing },
  }).symbols,
  ...dlopen("libc.so.6", {
    pipe2: { args: [pointer, i32], returns: i32 },
    close: { args: [i32], returns: i32 },
  }).symbols,
});
let opened: ReturnType<typeof open> | undefined;

/** O_CLOEXEC and O_NONBLOCK: a full pipe has said all that there is to say. */
const pipeFlags = 0o2000000 | 0o4000;
const disabled = -1;

export type WakeUps = ReturnType<typeof openWakeUps>;

/**
 * @param client of librdkafka's, which must outlive what is opened here
 * @param poll called when there is something to be polled for; must poll until there is nothing, or
 *   again by itself
 * @param of whose queue it is that is polled: a producer's main one, or that of a member of a group
 */
export function openWakeUps(client: Pointer, poll: () => void, of: "main" | "consumer" = "main") {
  opened ??= open();
  const api = opened;
  const [readEnd, writeEnd] = pipe(api);
  const queueOf = { main: api.rd_kafka_queue_get_main, consumer: api.rd_kafka_queue_get_consumer };
  const queue = present(queueOf[of](client), "queue");
  api.rd_kafka_queue_io_event_enable(queue, writeEnd, ptr(Buffer.from("!")), 1n);
  const listening = (async () => {
    for await (const _ of Bun.file(readEnd).stream()) poll();
  })();

  return {
    /** Once, before the client is disconnected; after that nothing is called. */
    async close(): Promise<void> {
      api.rd_kafka_queue_io_event_enable(queue, disabled, null, 0n);
      api.rd_kafka_queue_destroy(queue);
      // The reader comes to the end of the pipe.
      api.close(writeEnd);
      await listening;
      // Bun reads from a duplicate, which it has closed.
      api.close(readEnd);
    },
  };
}

function pipe(api: ReturnType<typeof open>): [readEnd: number, writeEnd: number] {
  const ends = new Int32Array(2);
  if (api.pipe2(ends, pipeFlags) !== 0) throw new Error("no pipe can be made: too many open files");
  return [ends[0] ?? disabled, ends[1] ?? disabled];
}

/** Tells at once when there is something to be polled for: librdkafka writes into a pipe when its queue is not empty any more. */
import { type Pointer, ptr } from "bun:ffi";
import { libc, present, rdkafka } from "./ffi.ts";

/**
 * @param poll called when there is something to be polled for; must poll until there is nothing, or again by itself
 * @param of whose queue: a producer's main one, or that of a member of a group. @throws Error when no pipe can be made
 */
export function openWakeUps(client: Pointer, poll: () => void, of: "main" | "consumer" = "main") {
  const ends = new Int32Array(2);
  // O_CLOEXEC and O_NONBLOCK: a full pipe has said all that there is to say.
  if (libc.pipe2(ends, 0o2000000 | 0o4000) !== 0) throw new Error("no pipe can be made: too many open files");
  const [readEnd, writeEnd] = ends as unknown as [number, number];
  const queue = present(rdkafka[`rd_kafka_queue_get_${of}`](client), "queue");
  rdkafka.rd_kafka_queue_io_event_enable(queue, writeEnd, ptr(Buffer.from("!")), 1);
  const listening = (async () => {
    for await (const _ of Bun.file(readEnd).stream()) poll();
  })().catch((error) => process.emitWarning(`not woken up, the clock polls alone: ${error}`));
  return {
    /** Once; after that nothing is called. */
    async close(): Promise<void> {
      // Disabled by -1.
      rdkafka.rd_kafka_queue_io_event_enable(queue, -1, null, 0);
      rdkafka.rd_kafka_queue_destroy(queue);
      // The reader comes to the end of the pipe.
      libc.close(writeEnd);
      await listening;
      // Bun reads from a duplicate, which it has closed.
      libc.close(readEnd);
    },
  };
}

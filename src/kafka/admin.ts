/**
 * Administration that node-rdkafka does not bind. The addon carries librdkafka's whole C API, so the call is made
 * there, through Bun's FFI; no second Kafka client is needed, and the same security options apply. A request is what
 * varies; the client, the wait for its one answer and the cleaning up are here. Source of each call: rdkafka.h.
 */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { library } from "./addon.ts";

const librdkafkaProducer = 0;
const errorBytes = 512;
const pollMs = 20;

const { ptr: pointer, i32, u64, cstring, void: nothing } = FFIType;

const open = () =>
  dlopen(library, {
    rd_kafka_conf_new: { args: [], returns: pointer },
    rd_kafka_conf_destroy: { args: [pointer], returns: nothing },
    rd_kafka_conf_set: { args: [pointer, pointer, pointer, pointer, u64], returns: i32 },
    rd_kafka_new: { args: [i32, pointer, pointer, u64], returns: pointer },
    rd_kafka_destroy_flags: { args: [pointer, i32], returns: nothing },
    rd_kafka_queue_new: { args: [pointer], returns: pointer },
    rd_kafka_queue_destroy: { args: [pointer], returns: nothing },
    rd_kafka_queue_poll: { args: [pointer, i32], returns: pointer },
    rd_kafka_event_error: { args: [pointer], returns: i32 },
    rd_kafka_event_error_string: { args: [pointer], returns: cstring },
    rd_kafka_event_destroy: { args: [pointer], returns: nothing },
  }).symbols;
let opened: ReturnType<typeof open> | undefined;

/** An address as bun:ffi gives it, of something that must be there. */
export function present(address: Pointer | bigint | null, what: string): Pointer {
  if (address === null) throw new Error(`librdkafka gave no ${what}`);
  return address as Pointer;
}

/** A text as C takes it. */
export const cText = (text: string): Buffer => Buffer.from(`${text}\0`);

/**
 * Makes one request and reads its answer.
 * @param options librdkafka's configuration
 * @param exchange.send hands the request to librdkafka; its answer comes to the queue
 * @param exchange.read reads the answer, which is freed afterwards
 * @throws Error with the brokers' words when they refuse, or when none answers in time
 */
export async function request<Answer>(
  options: Record<string, string | number | boolean>,
  timeoutMs: number,
  exchange: { send: (client: Pointer, queue: Pointer) => void; read: (event: Pointer) => Answer },
): Promise<Answer> {
  opened ??= open();
  const api = opened;
  const client = newClient(api, options);
  try {
    return await answerTo(client, timeoutMs, { ...exchange, send: (queue) => exchange.send(client, queue) });
  } finally {
    api.rd_kafka_destroy_flags(client, 0);
  }
}

/**
 * The same for a client that is there. Its answer comes to a queue of its own, which nothing else comes to.
 * @param signal ends the wait, before the client is disconnected
 * @throws Error as `request`; and when the request can't be made
 */
export async function answerTo<Answer>(
  client: Pointer,
  timeoutMs: number,
  exchange: { send: (queue: Pointer) => void; read: (event: Pointer) => Answer },
  signal?: AbortSignal,
): Promise<Answer> {
  opened ??= open();
  const api = opened;
  const queue = present(api.rd_kafka_queue_new(client), "queue");
  try {
    exchange.send(queue);
    const deadline = performance.now() + timeoutMs;
    let event = api.rd_kafka_queue_poll(queue, 0);
    while (event === null && performance.now() < deadline && !signal?.aborted) {
      await Bun.sleep(pollMs);
      event = api.rd_kafka_queue_poll(queue, 0);
    }
    if (event === null) throw new Error(`no broker answered within ${timeoutMs} ms`);
    const answer = present(event, "event");
    try {
      if (api.rd_kafka_event_error(answer)) throw new Error(String(api.rd_kafka_event_error_string(answer)));
      return exchange.read(answer);
    } finally {
      api.rd_kafka_event_destroy(answer);
    }
  } finally {
    api.rd_kafka_queue_destroy(queue);
  }
}

function newClient(
  api: ReturnType<typeof open>,
  options: Record<string, string | number | boolean>,
): Pointer {
  const message = Buffer.alloc(errorBytes);
  const said = () => new Error(message.toString("utf8", 0, message.indexOf(0)));
  const conf = present(api.rd_kafka_conf_new(), "configuration");
  for (const [name, value] of Object.entries(options)) {
    if (api.rd_kafka_conf_set(conf, cText(name), cText(String(value)), ptr(message), errorBytes) === 0)
      continue;
    api.rd_kafka_conf_destroy(conf);
    throw said();
  }
  const client = api.rd_kafka_new(librdkafkaProducer, conf, ptr(message), BigInt(errorBytes));
  if (client !== null) return present(client, "client");
  api.rd_kafka_conf_destroy(conf);
  throw said();
}

/** librdkafka's own words of what keeps it from the brokers, which its errors leave out: a wrong password, a certificate. */
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import type { KafkaConfig } from "../config.ts";
import type Kafka from "./addon.ts";

const repeatAfterMs = 60_000;
const mostTexts = 100;
const probeTimeoutMs = 2_000;
/** Errors that say nothing: their words come by the log. */
const wordless = /^(broker transport|host resolution|authentication) failure$|^ssl error$/;

/**
 * Hands on the client's errors, and its words of what keeps it from a broker, of which the same once a minute at most.
 * @returns the newest of its words; undefined: there were none
 */
export function listen(
  client: Kafka.Producer,
  config: KafkaConfig,
  tell: (words: string) => void,
): () => string | undefined {
  const toldAtMs = new Map<string, number>();
  let newest: string | undefined;
  function isNew(words: string): boolean {
    const nowMs = performance.now();
    if (nowMs < (toldAtMs.get(words) ?? -Infinity) + repeatAfterMs) return false;
    if (toldAtMs.size >= mostTexts) toldAtMs.clear();
    toldAtMs.set(words, nowMs);
    return true;
  }
  async function hear(message: string): Promise<void> {
    const said = message.replace(/^\[thrd:[^\]]*\]: |\s*\(after \d+ms in state .*\)$/g, "");
    if (!isNew(said)) return;
    newest = said;
    if (/certificate verify failed/.test(said)) newest = await mistrust(said, config);
    if (newest === said || isNew(newest)) tell(newest);
  }
  client.on("event.error", ({ message }) => {
    if (!wordless.test(message)) tell(message);
  });
  client.on("event.log", ({ fac, message }) => {
    if (fac === "FAIL") void hear(message);
  });
  return () => newest;
}

/** librdkafka does not say what is wrong with a certificate: the same handshake made once more does. */
function mistrust(words: string, config: KafkaConfig): Promise<string> {
  const [, broker = "", host = "", port] = /^\w+:\/\/(\[?([^/\]]*?)\]?:(\d+))/.exec(words) ?? [];
  const { promise, resolve } = Promise.withResolvers<string>();
  try {
    const socket = connect({
      host,
      port: Number(port),
      ...(config.KAFKA_SSL_CA_LOCATION !== undefined && { ca: readFileSync(config.KAFKA_SSL_CA_LOCATION) }),
      timeout: probeTimeoutMs,
    });
    const end = (why = words) => {
      socket.destroy();
      resolve(why);
    };
    socket.on("error", ({ message }) => end(`${broker}: its certificate is not trusted: ${message}`));
    socket.on("secureConnect", () => end()).on("timeout", () => end());
  } catch {
    // The file can't be read, which librdkafka has said before.
    resolve(words);
  }
  return promise;
}

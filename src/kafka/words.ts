/** librdkafka's own words of what keeps it from the brokers, which its errors leave out: a wrong password, a certificate. */
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import type { KafkaConfig } from "../config.ts";
import type Kafka from "./addon.ts";

const [repeatAfterMs, probeTimeoutMs, mostTexts] = [60_000, 2_000, 100];
/** Errors that say nothing: their words come by the log. */
const wordless = /^(broker transport|host resolution|authentication) failure$|^ssl error$/;

/** Hands on the client's errors, and its words of what keeps it from a broker, each once a minute at most. @returns its newest words */
export function listen(client: Kafka.Producer, config: KafkaConfig, tell: (words: string) => void) {
  const toldAtMs = new Map<string, number>();
  let newest: string | undefined;
  function isNew(words: string): boolean {
    const nowMs = performance.now();
    if (nowMs < (toldAtMs.get(words) ?? -Infinity) + repeatAfterMs) return false;
    if (toldAtMs.size >= mostTexts) toldAtMs.clear();
    toldAtMs.set(words, nowMs);
    return true;
  }
  async function hear(said: string): Promise<void> {
    if (!isNew(said)) return;
    newest = said;
    // Where the CA's file can't be read any more there is nothing to add.
    if (/certificate verify failed/.test(said)) newest = await mistrust(said, config).catch(() => said);
    if (newest === said || isNew(newest)) tell(newest);
  }
  client.on("event.error", ({ message }) => {
    if (!wordless.test(message)) tell(message);
  });
  let before = "";
  client.on("event.log", ({ fac, message }) => {
    const said = message.replace(/^\[thrd:[^\]]*\]: |\s*\(after \d+ms in state .*\)$/g, "");
    // Comes just before a failure of TLS: that the broker wants another CA's certificate than this client could show.
    if (fac === "SSL") before = `: ${said}`;
    if (fac === "FAIL") void hear(/SSL/.test(said) ? said + before : said);
  });
  return () => newest;
}

/** librdkafka does not say what is wrong with a certificate: the same handshake made once more does. @throws Error */
async function mistrust(words: string, { KAFKA_SSL_CA_LOCATION: file }: KafkaConfig): Promise<string> {
  const [, broker = "", host = "", port] = /^\w+:\/\/(\[?([^/\]]*?)\]?:(\d+))/.exec(words) ?? [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const ca = file && readFileSync(file);
  const socket = connect({ host, port: Number(port), ...(ca && { ca }), timeout: probeTimeoutMs });
  socket.on("error", ({ message }) => resolve(`${broker}: its certificate is not trusted: ${message}`));
  socket.on("secureConnect", () => resolve(words)).on("timeout", () => resolve(words));
  return promise.finally(() => socket.destroy());
}

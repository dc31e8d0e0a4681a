/** Why no broker lets a client in, in librdkafka's own words: each cause has its own. */
import { afterAll, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { until } from "../../kit/until.ts";
import { newCredentials } from "../../testing/credentials.ts";
import { startRefusingBroker } from "../../testing/refusing-broker.ts";
import { kafkaConfig } from "../config.ts";
import { openProducer } from "./producer.ts";

const credentials = newCredentials();
afterAll(() => credentials[Symbol.dispose]());

/** What a client says that comes to no broker, in the end and meanwhile. */
async function refused(env: NodeJS.ProcessEnv) {
  const told: string[] = [];
  const options = { lingerMs: 0, deliveryTimeoutMs: 1_000, onError: (words: string) => told.push(words) };
  const error = await openProducer(kafkaConfig(env), options).then(
    () => expect.unreachable(),
    ({ message }: Error) => message,
  );
  return { error, told };
}

test.concurrent.each([
  ["wrong password", "PLAIN", "Invalid username or password"],
  ["wrong mechanism", "SCRAM-SHA-512", "broker's supported mechanisms: SCRAM-SHA-512"],
])("%s", async (_, mechanism, words) => {
  using broker = startRefusingBroker(mechanism);
  const { error, told } = await refused({
    KAFKA_BROKERS: broker.bootstrap,
    KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
    KAFKA_SASL_USERNAME: "producer",
    KAFKA_SASL_PASSWORD: "wrong",
  });
  expect(error).toContain(words);
  // Tried many times, told once, and not with a password.
  expect(told).toEqual([expect.stringContaining(words)]);
  expect(error + told).not.toContain("wrong");
});

test.concurrent("a certificate of an unknown CA, one that is over, and one of another name", async () => {
  const [ca, other] = [credentials.newCa("ca"), credentials.newCa("other")];
  const over = ca.certificate("over", { days: 0 });
  const cases = [
    [other.certificate("foreign"), /unable to verify|self.signed|unable to get/],
    [over, /expired/],
    [ca.certificate("elsewhere", { names: "DNS:elsewhere" }), /does not match/],
  ] as const;
  // The second in which it is still valid.
  await until("it is over", () => Date.now() > over.madeMs + 1_000);
  const check = async ([{ cert, key }, words]: (typeof cases)[number]) => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, tls: { cert, key }, socket: { data() {} } });
    const { error, told } = await refused({
      KAFKA_BROKERS: `127.0.0.1:${server.port}`,
      KAFKA_SECURITY_PROTOCOL: "ssl",
      KAFKA_SSL_CA_LOCATION: ca.path,
    });
    server.stop(true);
    expect(error).toMatch(words);
    expect(told).toEqual([expect.stringMatching(words)]);
  };
  await Promise.all(cases.map(check));
}, 120_000);

test.concurrent("a broker that wants a certificate: none, one of another CA, files that make none; and the right one", async () => {
  const [ca, other] = [credentials.newCa("brokers"), credentials.newCa("strangers")];
  const [{ cert, key, path }, own, foreign] = [
    ca.certificate("broker"),
    ca.certificate("own"),
    other.certificate("foreign"),
  ];
  const shown: string[] = [];
  const options = { cert, key, ca: ca.pem, requestCert: true, rejectUnauthorized: true };
  const broker = createServer(options, (socket) => {
    shown.push(socket.getPeerCertificate().subject.CN as string);
    socket.destroy();
  });
  await new Promise<void>((listening) => broker.listen(0, "127.0.0.1", listening));
  const showing = (certificate?: string, keyPath = certificate) =>
    refused({
      KAFKA_BROKERS: `127.0.0.1:${(broker.address() as AddressInfo).port}`,
      KAFKA_SECURITY_PROTOCOL: "ssl",
      KAFKA_SSL_CA_LOCATION: ca.path,
      ...(certificate && { KAFKA_SSL_CERTIFICATE_LOCATION: certificate, KAFKA_SSL_KEY_LOCATION: keyPath }),
    });
  const noPem = credentials.write("none.pem", "");
  const cases = [
    [[], /alert certificate required/],
    [[foreign.path], /alert certificate required.*: No matching issuer found/],
    [[noPem, own.path], /ssl\.certificate\.location failed/],
    [[own.path, noPem], /ssl\.key\.location failed/],
    [[own.path, path], /ssl\.key\.location failed: .*key values mismatch/],
    // Let in, but nobody speaks Kafka there.
    [[own.path], /broker transport failure/],
  ] as const;
  await Promise.all(
    cases.map(async ([files, words]) => expect((await showing(...files)).error).toMatch(words)),
  );
  expect(new Set(shown)).toEqual(new Set(["own"]));
  broker.close();
}, 120_000);

test.concurrent("nobody there", async () => {
  const { error } = await refused({ KAFKA_BROKERS: "127.0.0.1:1" });
  expect(error).toContain("Connection refused");
});

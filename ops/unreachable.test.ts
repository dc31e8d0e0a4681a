// Brokers that can't be reached as it was said: whoever asks them is told why, and what to set.
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";
import { fixedPort } from "../testing/balancer.ts";
import { newCredentials } from "../testing/credentials.ts";
import { startRefusingBroker } from "../testing/refusing-broker.ts";

const credentials = newCredentials();
afterAll(() => credentials[Symbol.dispose]());
const { cert, key } = credentials.newCa("brokers").certificate("broker");

const commands = { topics: ["topics.ts"], dead: ["dead/main.ts", "list"] };
type Command = keyof typeof commands;
const ask = (command: Command, KAFKA_BROKERS: string, env: Record<string, string> = {}) => {
  const [entry = "", ...words] = commands[command];
  const argv = [process.execPath, join(import.meta.dir, entry), ...words];
  return capture(argv, { limitMs: 60_000, env: { KAFKA_BROKERS, ...env } });
};

test.each(["topics", "dead"] as const)(
  "%s: brokers that speak TLS are told from those that are away",
  async (command) => {
    using broker = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0, tls: { cert, key } },
      socket: { data: (socket) => void socket.end() },
    });
    const { code, stderr } = await ask(command, `127.0.0.1:${broker.port}`);
    expect(code).toBe(1);
    expect(stderr).toContain(`Kafka at 127.0.0.1:${broker.port}: `);
    expect(stderr).toContain("It speaks TLS: KAFKA_SECURITY_PROTOCOL is ssl or sasl_ssl there");
  },
  120_000,
);

test("dead: who is not let in, or finds nobody, is told so in the brokers' words", async () => {
  using broker = startRefusingBroker("PLAIN");
  const secret = { KAFKA_SASL_USERNAME: "dead", KAFKA_SASL_PASSWORD: "wrong" };
  const env = { KAFKA_SECURITY_PROTOCOL: "sasl_plaintext", ...secret };
  expect((await ask("dead", broker.bootstrap, env)).stderr).toContain("Invalid username or password");
  const nobody = `127.0.0.1:${fixedPort()}`;
  const { stderr } = await ask("dead", nobody);
  expect(stderr).toStartWith(`dead: Kafka at ${nobody}: broker transport failure: `);
  expect(stderr).toContain("Connection refused");
}, 120_000);

// The keys that the balancer gives: whoever has seen some can't tell the next. HAProxy's uuid() alone is no secret, for it
// is made of xoroshiro128**, of which one key gives the state: that attack finds the keys of such a configuration, and none
// of the shipped one.
import { expect, test } from "bun:test";
import { sampleOrder } from "../src/sample.ts";
import { startBalancer } from "../testing/balancer.ts";
import { connectHttp } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { headerOf, startStandIn } from "./testing/stand-in.ts";

const answer = "HTTP/1.1 202 Accepted\r\nOrder-Fate: accepted\r\nContent-Length: 2\r\n\r\n{}";
/** One thread has one generator, whose numbers come in their order. */
const oneThread = { "    maxconn 9000": "    maxconn 9000\n    nbthread 1" };

/** Keys in the order in which they were given, as 32 hexadecimal digits. */
async function keysOf(replace: Record<string, string>): Promise<string[]> {
  using producer = startStandIn({ answer });
  await using balancer = await startBalancer({
    producers: [producer.port],
    replace: { ...oneThread, ...replace },
  });
  const connection = await connectHttp(balancer.port);
  for (let n = 0; n < 8; n += 1)
    await connection.request("POST", "/orders", jsonBody, JSON.stringify(sampleOrder()));
  connection.close();
  return producer.requests.map((one) =>
    (headerOf(one, "idempotency-key") ?? "").replace(/^lb-/, "").replaceAll("-", ""),
  );
}

const mask = (1n << 64n) - 1n;
const rotl = (value: bigint, by: bigint) => ((value << by) | (value >> (64n - by))) & mask;
/** The inverse of an odd number modulo 2^64, by Newton's method. */
function inverse(odd: bigint): bigint {
  let found = 1n;
  for (let n = 0; n < 7; n += 1) found = (found * (2n - odd * found)) & mask;
  return found;
}
const outputOf = (s0: bigint) => (rotl((s0 * 5n) & mask, 7n) * 9n) & mask;
const stateOf = (output: bigint) => (rotl((output * inverse(9n)) & mask, 57n) * inverse(5n)) & mask;

/** Two outputs as uuid() writes them, with version and variant in the place of six of their bits. */
function uuidOf(a: bigint, b: bigint): string {
  const digits = (value: bigint, count: number) => value.toString(16).padStart(count, "0");
  const low = (a & 0xffffffffn) << 32n;
  const middle = ((a >> 32n) & 0xffffn) << 16n;
  const high = ((a >> 48n) & 0xfffn) | 0x4000n;
  return (
    digits(low | middle | high, 16) +
    digits((((b & 0x3fffn) | 0x8000n) << 48n) | ((b >> 14n) & 0xffffffffffffn), 16)
  );
}

/** The keys that follow one, if it is a uuid(): for each of what the six bits may have been. */
function predictedFrom(key: string): Set<string> {
  const [first, second] = [BigInt(`0x${key.slice(0, 16)}`), BigInt(`0x${key.slice(16)}`)];
  const a = (first >> 32n) | (((first >> 16n) & 0xffffn) << 32n) | ((first & 0xfffn) << 48n);
  const b = ((second >> 48n) & 0x3fffn) | ((second & 0xffffffffffffn) << 14n);
  const found = new Set<string>();
  for (let bits = 0n; bits < 64n; bits += 1n) {
    let s0 = stateOf(a | ((bits >> 2n) << 60n));
    const next = stateOf(b | ((bits & 3n) << 62n));
    // next = rotl(s0, 24) ^ x ^ (x << 16), where x = s0 ^ s1.
    const sum = next ^ rotl(s0, 24n);
    let x = 0n;
    for (let n = 0; n < 4; n += 1) x = (sum ^ (x << 16n)) & mask;
    let s1 = x ^ s0;
    const outputs: bigint[] = [];
    for (let n = 0; n < 60; n += 1) {
      outputs.push(outputOf(s0));
      x = s0 ^ s1;
      [s0, s1] = [rotl(s0, 24n) ^ x ^ ((x << 16n) & mask), rotl(x, 37n)];
    }
    for (let n = 2; n < outputs.length - 1; n += 1)
      found.add(uuidOf(outputs[n] as bigint, outputs[n + 1] as bigint));
  }
  return found;
}

const predicted = ([first = "", ...later]: string[]) => {
  const all = predictedFrom(first);
  return later.filter((key) => all.has(key)).length;
};

test("a configuration that gives uuid() as it is can be predicted", async () => {
  const keys = await keysOf({ 'uuid(),hmac(sha256,"${LB_KEY_SECRET}"),bytes(0,16),hex,lower': "uuid()" });
  expect(predicted(keys)).toBe(keys.length - 1);
});

test("the shipped one can not, and never gives the same twice", async () => {
  const keys = await keysOf({});
  expect(predicted(keys)).toBe(0);
  expect(new Set(keys).size).toBe(keys.length);
});

test("nor can anybody tell which keys lead to the same producer: another balancer leads them elsewhere", async () => {
  const producers = [1, 2, 3].map(() => startStandIn({ answer }));
  const led = async (keys: string[], env = {}) => {
    for (const { requests } of producers) (requests as string[]).length = 0;
    await using balancer = await startBalancer({ producers: producers.map(({ port }) => port), env });
    const connection = await connectHttp(balancer.port);
    for (const key of keys)
      await connection.request("POST", "/orders", { ...jsonBody, "idempotency-key": key }, "{}");
    connection.close();
    return producers.map(({ requests }) => requests.map((one) => headerOf(one, "idempotency-key") ?? ""));
  };
  const [first = []] = await led(Array.from({ length: 120 }, (_, n) => `key-${n}`));
  expect(first.length).toBeGreaterThan(10);
  const elsewhere = await led(first, { LB_KEY_SECRET: Buffer.alloc(32, 2).toString("base64") });
  expect(elsewhere.filter((keys) => keys.length > 0).length).toBeGreaterThan(1);
  for (const producer of producers) producer[Symbol.dispose]();
});

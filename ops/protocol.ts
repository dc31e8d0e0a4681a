/**
 * Kafka's own protocol, for what no client library tells, or none tells at once: one request to one broker, in plaintext or
 * by TLS with SCRAM-SHA-512. Each is bounded.
 * Source: https://kafka.apache.org/protocol; RFC 5802 (SCRAM), without channel binding, as Kafka has it.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

/** For who watches, and will ask again soon. */
const answerLimitMs = 2_000;
const saslHandshake = [17, 1] as const;
const saslAuthenticate = [36, 0] as const;
const mechanism = "SCRAM-SHA-512";

/** How a broker is to be asked: by TLS, as a user. */
export interface Admission {
  /** Of the broker's certificate, as PEM. */
  ca: string;
  username: string;
  password: string;
}

/** Where a broker listens; on this machine, unless it says another. */
export interface Door {
  host?: string;
  port: number;
  admission?: Admission | undefined;
  /** Connections that wait for the next request: of who asks every second, and closes them in the end. */
  kept?: Connection[];
}

type Connection = ReturnType<typeof open>;
type Call = (request: Request, body: Buffer) => Promise<Reader>;

/** API key and version of a request; `flexible`: of those that carry tagged fields (KIP-482). */
export type Request = readonly [key: number, version: number, flexible?: "flexible"];

/**
 * One request, and the answer after its head.
 * @param limitMs how long the broker may be silent
 * @throws Error when there is none in time, or the user is not admitted
 */
export async function ask(
  door: Door,
  request: Request,
  body: Buffer,
  limitMs = answerLimitMs,
): Promise<Reader> {
  const kept = door.kept?.pop();
  const connection = kept ?? open(door);
  const call: Call = (of, content) => connection.call(of, content, limitMs);
  let isKept = false;
  try {
    if (door.admission && !kept) await admit(call, door.admission);
    const answer = await call(request, body);
    isKept = door.kept?.push(connection) !== undefined;
    return answer;
  } finally {
    if (!isKept) connection.close();
  }
}

/** A connection for one request at a time. One that ends is not kept any longer. */
function open({ host = "127.0.0.1", port, admission, kept = [] }: Door) {
  const socket = admission ? connectTls({ host, port, ca: admission.ca }) : connect({ host, port });
  let [limitMs, isAsked, received] = [0, false, Buffer.alloc(0)];
  let answer = Promise.withResolvers<Buffer>();
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    answer.reject(failure);
  };
  const connection = {
    async call(of: Request, content: Buffer, withinMs: number): Promise<Reader> {
      if (failure) throw failure;
      answer = Promise.withResolvers();
      [limitMs, isAsked] = [withinMs, true];
      socket.ref().setTimeout(limitMs);
      socket.write(framed(of, content));
      const bytes = await answer.promise;
      // Who waits for nothing keeps no process alive.
      socket.unref().setTimeout(0);
      return read(bytes, of[2] ? 9 : 8);
    },
    close: (): void => void socket.destroy(),
  };
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const end = endOf(received);
    // What nobody asked for would be taken for the next answer.
    if (!isAsked || received.length > end)
      socket.destroy(new Error(`port ${port} answers more than was asked`));
    if (end > received.length) return;
    isAsked = false;
    answer.resolve(received);
    received = Buffer.alloc(0);
  });
  socket.on("timeout", () => socket.destroy(new Error(`no answer on port ${port} within ${limitMs} ms`)));
  socket.on("error", fail);
  socket.on("close", () => {
    fail(new Error(`the broker on port ${port} closed the connection`));
    const at = kept.indexOf(connection);
    if (at >= 0) kept.splice(at, 1);
  });
  return connection;
}

/**
 * What may keep a client without TLS from the first of these brokers, which close its connection without a word: that they
 * speak TLS. "" where they do not. @param brokers as KAFKA_BROKERS has them
 */
export async function hintOfTls(brokers: string, protocol: string): Promise<string> {
  const [host = "", port] = (brokers.split(",")[0] as string).replace(/[[\]]/g, "").split(/:(?=\d+$)/);
  if (protocol.endsWith("ssl")) return "";
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // Whose certificate it is does not matter: nothing is told there.
  const options = { host, port: Number(port), rejectUnauthorized: false, timeout: answerLimitMs };
  const socket = connectTls(options, () => resolve(true));
  socket
    .on("error", () => resolve(false))
    .on("timeout", () => resolve(false))
    .on("close", () => resolve(false));
  const isTls = await promise.finally(() => socket.destroy());
  return isTls
    ? ". It speaks TLS: KAFKA_SECURITY_PROTOCOL is ssl or sasl_ssl there (of make up SECURE=1: docs/secure.md, «By hand»)"
    : "";
}

const endOf = (bytes: Buffer) => (bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readInt32BE(0));

function framed([key, version, flexible]: Request, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt16BE(key, 0);
  head.writeInt16BE(version, 2);
  const tags = Buffer.alloc(flexible ? 1 : 0);
  const request = Buffer.concat([head, string("coffee-orders-tools"), tags, body]);
  return Buffer.concat([int32(request.length), request]);
}

async function admit(call: Call, { username, password }: Admission): Promise<void> {
  const refused = (why: string) => new Error(`the user ${username} is not admitted: ${why}`);
  if ((await call(saslHandshake, string(mechanism))).int16() !== 0) throw refused(`not by ${mechanism}`);
  const say = async (text: string) => {
    const reader = await call(saslAuthenticate, bytes(Buffer.from(text)));
    const code = reader.int16();
    const message = reader.string();
    if (code !== 0) throw refused(message);
    return reader.bytes().toString();
  };
  const first = `n=${username},r=${randomBytes(18).toString("base64")}`;
  const challenge = await say(`n,,${first}`);
  const [, nonce = "", salt = "", iterations = ""] = /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(challenge) ?? [];
  const key = hmac(saltedOnce(password, salt, Number(iterations)), "Client Key");
  const last = `c=biws,r=${nonce}`;
  const signature = hmac(createHash("sha512").update(key).digest(), `${first},${challenge},${last}`);
  const proof = key.map((byte, at) => byte ^ (signature[at] as number));
  await say(`${last},p=${Buffer.from(proof).toString("base64")}`);
}

const hmac = (key: Buffer, text: string) => createHmac("sha512", key).update(text).digest();

/** The last of them. Whoever asks every second would spend most of it on thousands of rounds with always the same end. */
let known: { of: string; salted: Buffer } = { of: "", salted: Buffer.alloc(0) };
function saltedOnce(password: string, salt: string, iterations: number): Buffer {
  const of = `${salt} ${iterations} ${password}`;
  if (known.of !== of)
    known = { of, salted: saltedPassword(password, Buffer.from(salt, "base64"), iterations) };
  return known.salted;
}

/** Of SCRAM-SHA-512: what a broker is told instead of a password. */
export const saltedPassword = (password: string, salt: Buffer, iterations: number): Buffer =>
  pbkdf2Sync(password, salt, iterations, 64, "sha512");

export function int32(value: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(value);
  return size;
}

export function string(text: string): Buffer {
  const content = Buffer.from(text);
  const size = Buffer.alloc(2);
  size.writeInt16BE(content.length);
  return Buffer.concat([size, content]);
}

export const bytes = (content: Buffer): Buffer => Buffer.concat([int32(content.length), content]);

export const array = (items: Buffer[]): Buffer => Buffer.concat([int32(items.length), ...items]);

export type Reader = ReturnType<typeof read>;

/** Takes one field after another; a field beyond the end throws. */
function read(content: Buffer, start: number) {
  let at = start;
  const take = (size: number) => {
    at += size;
    return at - size;
  };
  const slice = (size: number) => {
    const from = take(Math.max(0, size));
    return content.subarray(from, from + Math.max(0, size));
  };
  const int8 = () => content.readInt8(take(1));
  const int16 = () => content.readInt16BE(take(2));
  const int32 = () => content.readInt32BE(take(4));
  const int64 = () => Number(content.readBigInt64BE(take(8)));
  return {
    int8,
    int16,
    int32,
    int64,
    /** Null, which has the length -1, reads as "". */
    string: () => slice(int16()).toString(),
    bytes: () => slice(int32()),
    /** Of less than 127 bytes, in a flexible answer; null as above. */
    compactString: () => slice(int8() - 1).toString(),
    list: <T>(item: () => T): T[] => Array.from({ length: Math.max(0, int32()) }, () => item()),
  };
}

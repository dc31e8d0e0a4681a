/**
 * A client that never tries again: one connection, every byte as the test gives it, every answer as it comes. HTTP
 * libraries open a new connection when one was closed on them, and so hide the failures that tests look for.
 */
import { once } from "node:events";
import { connect } from "node:net";

/** An answer; its connection may be used again unless it says otherwise. */
export type HttpAnswer = { status: number; headers: Headers; body: string };

/** The connection ended before the answer was whole. */
export class NoAnswerError extends Error {
  override name = "NoAnswerError";
}

export type HttpConnection = {
  /** Whether neither side has closed it. */
  readonly isOpen: boolean;
  /** Sends bytes as they are. */
  write(bytes: string | Uint8Array): void;
  /** The next answer. @throws NoAnswerError */
  answer(): Promise<HttpAnswer>;
  /** Sends a request and waits for its answer. @throws NoAnswerError */
  request(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<HttpAnswer>;
  close(): void;
};

/** Connects to a server on this machine, from an address of this machine. */
export async function connectHttp(port: number, localAddress = "127.0.0.1"): Promise<HttpConnection> {
  const socket = connect({ host: "127.0.0.1", port, localAddress, noDelay: true });
  let received = Buffer.alloc(0);
  let isOpen = true;
  let waiting: PromiseWithResolvers<HttpAnswer> | undefined;

  const settle = () => {
    if (!waiting) return;
    const found = parse(received);
    if (found) {
      received = received.subarray(found.length);
      waiting.resolve(found.answer);
    } else if (!isOpen) waiting.reject(new NoAnswerError(`closed after ${received.length} bytes`));
    else return;
    waiting = undefined;
  };
  const ended = () => {
    isOpen = false;
    settle();
  };
  socket.on("data", (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    settle();
  });
  for (const event of ["end", "error", "close"]) socket.on(event, ended);
  await once(socket, "connect");

  const connection: HttpConnection = {
    get isOpen() {
      return isOpen;
    },
    write(bytes) {
      socket.write(bytes);
    },
    answer() {
      if (waiting) throw new Error("one answer at a time");
      waiting = Promise.withResolvers();
      const { promise } = waiting;
      settle();
      return promise;
    },
    request(method, path, headers = {}, body) {
      connection.write(httpRequest(method, path, headers, body));
      return connection.answer();
    },
    close() {
      socket.destroy();
    },
  };
  return connection;
}

/** The bytes of a request. */
export function httpRequest(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): string {
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const lines = Object.entries({ host: "coffee-orders", ...length, ...headers });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body ?? ""}`;
}

/** The first final answer in what was received, and where it ends; nothing while it is not whole. */
function parse(received: Buffer): { answer: HttpAnswer; length: number } | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine = "", ...lines] = received.toString("latin1", 0, headEnd).split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const start = headEnd + 4;
  if (status < 200) {
    const next = parse(received.subarray(start));
    return next && { ...next, length: next.length + start };
  }
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  const declared = headers.get("content-length");
  if (declared === null) throw new Error(`an answer without a Content-Length: ${statusLine}`);
  const end = start + Number(declared);
  if (received.length < end) return undefined;
  return { answer: { status, headers, body: received.toString("utf8", start, end) }, length: end };
}

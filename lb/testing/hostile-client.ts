/** A client that sends bytes as they are, on a connection of their own, and says what came back, to the last byte. */
import { once } from "node:events";
import { connect } from "node:net";

/** An answer as it came. */
export type RawAnswer = { status: number; headers: Headers; body: string };

/** What a connection brought. */
export type Exchange = {
  readonly answers: readonly RawAnswer[];
  /** How it ended: the server closed it, or it neither closed nor answered in time. */
  readonly ending: "closed" | "silent";
};

const laterMs = 300;
/** Above the balancer's 10 s for a request. */
const timeoutMs = 25_000;

/**
 * Sends bytes, each part some time after the one before, and reads answers until the connection closes. Where it is
 * still open after as many answers as are expected, the client ends its side; what was answered besides is there then.
 */
export async function exchange(
  port: number,
  parts: readonly Buffer[],
  expected: number,
  { halfClosed, localAddress }: { halfClosed: boolean; localAddress: string },
): Promise<Exchange> {
  const socket = connect({ host: "127.0.0.1", port, localAddress, noDelay: true, allowHalfOpen: true });
  const head = parts[0]?.toString("latin1") ?? "";
  const asked = { bodiless: head.startsWith("HEAD "), old: /^[^\n]* HTTP\/1\.0\r/.test(head) };
  const { promise: end, resolve } = Promise.withResolvers<"closed" | "silent">();
  let received = Buffer.alloc(0);
  socket.on("data", (part: Buffer) => {
    received = Buffer.concat([received, part]);
    if (answersIn(received, asked).length >= expected) socket.end();
  });
  // A connection that is reset brought what it brought.
  for (const event of ["end", "error", "close"]) socket.on(event, () => resolve("closed"));
  await once(socket, "connect");
  for (const [n, part] of parts.entries()) {
    if (n > 0) await Bun.sleep(laterMs);
    socket.write(part);
  }
  if (halfClosed) socket.end();
  const timer = setTimeout(() => resolve("silent"), timeoutMs);
  const ending = await end;
  clearTimeout(timer);
  socket.destroy();
  return { answers: answersIn(received, asked), ending };
}

/** The final answers in what was received, as far as they are whole. HTTP/1.0 takes any for one (RFC 9110, 15.2). */
function answersIn(received: Buffer, asked: { bodiless: boolean; old: boolean }): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let at = 0; ; ) {
    const headEnd = received.indexOf("\r\n\r\n", at);
    if (headEnd < 0) return answers;
    const [statusLine = "", ...lines] = received.toString("latin1", at, headEnd).split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
    const headers = new Headers(lines.map((line) => line.split(/:(.*)/s, 2) as [string, string]));
    at = headEnd + 4;
    if (status >= 100 && status < 200 && status !== 101 && !asked.old) continue;
    const length = Number(headers.get("content-length") ?? 0);
    const bodyEnd = asked.bodiless && answers.length === 0 ? at : at + length;
    if (received.length < bodyEnd) return answers;
    answers.push({ status, headers, body: received.toString("utf8", at, bodyEnd) });
    at = bodyEnd;
  }
}

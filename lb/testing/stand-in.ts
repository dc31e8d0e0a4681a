/**
 * A server in a producer's place that is ready by its health check and does whatever the test says with everything
 * else: what no producer can be brought to do at a wanted moment, such as to die with a request in its hands.
 */

/** What it does with a request that has arrived whole. */
export type Behaviour =
  | "close"
  | "close later"
  | "close and listen no more"
  | "hang"
  | "junk"
  | { answer: string };

export type StandIn = {
  readonly port: number;
  /** The requests it was sent, whole. */
  readonly requests: readonly string[];
  [Symbol.dispose](): void;
};

type Data = { received: string };

/** Starts it, on a free port unless it is given one. */
export function startStandIn(behaviour: Behaviour, hostname = "127.0.0.1", port = 0): StandIn {
  const requests: string[] = [];
  const server = Bun.listen<Data>({
    hostname,
    port,
    socket: {
      open(socket) {
        socket.data = { received: "" };
      },
      data(socket, bytes) {
        socket.data.received += bytes.toString("latin1");
        if (!isWhole(socket.data.received)) return;
        const request = socket.data.received;
        socket.data.received = "";
        if (request.startsWith("GET /readyz")) {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n");
          return;
        }
        requests.push(request);
        if (behaviour === "hang") return;
        if (behaviour === "close later") return void setTimeout(() => socket.end(), 300);
        if (behaviour === "junk") socket.write("no HTTP at all\r\n\r\n");
        else if (typeof behaviour === "object") socket.write(behaviour.answer);
        else if (behaviour === "close and listen no more") server.stop(true);
        if (typeof behaviour === "string") socket.end();
      },
    },
  });
  return {
    port: server.port,
    requests,
    [Symbol.dispose]() {
      server.stop(true);
    },
  };
}

/** A header of a request. */
export const headerOf = (request: string, name: string): string | undefined =>
  new RegExp(`^${name}: *(.*)\r$`, "im").exec(request)?.[1];

function isWhole(received: string): boolean {
  const end = received.indexOf("\r\n\r\n");
  return end >= 0 && received.length >= end + 4 + Number(headerOf(received, "content-length") ?? 0);
}

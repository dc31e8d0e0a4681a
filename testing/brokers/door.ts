/**
 * A door before a cluster of one broker: clients know its address alone. It gives requests and answers on, whole ones, with its own
 * port in the answers; it may lead to another cluster, and change what an answer says.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { pipeline, Transform } from "node:stream";

const host = "127.0.0.1";
const portOf = (bootstrap: string) => Number(bootstrap.split(":")[1]);
/** As metadata has a broker's address. */
const named = (port: number) => Buffer.from([...Buffer.from(host), 0, 0, port >> 8, port & 255]);

/** Gives on whole messages of the protocol, each after a look at it. */
function messages(look: (message: Buffer) => void) {
  let received = Buffer.alloc(0);
  return new Transform({
    transform(bytes, _, done) {
      received = Buffer.concat([received, bytes]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const message = received.subarray(0, 4 + received.readInt32BE(0));
        received = received.subarray(message.length);
        look(message);
        this.push(message);
      }
      done();
    },
  });
}

/** @param on.request is told the kind of each (Kafka protocol, «API Keys»); @param on.answer may change it in its place */
export async function startDoor(
  bootstrap: string,
  on: { request?: (kind: number) => void; answer?: (answer: Buffer) => void } = {},
) {
  let to = portOf(bootstrap);
  const open = new Set<Socket>();
  const server = createServer((outside) => {
    const port = to;
    const inside = connect(port, host);
    const requests = messages((request) => on.request?.(request.readInt16BE(4)));
    const answers = messages((answer) => {
      const its = named(port);
      for (let at = answer.indexOf(its); at >= 0; at = answer.indexOf(its)) named(ownPort).copy(answer, at);
      on.answer?.(answer);
    });
    open.add(outside);
    // Where one end is gone so is the other.
    const gone = () => {
      open.delete(outside.destroy());
      inside.destroy();
    };
    pipeline(outside, requests, inside, gone);
    pipeline(inside, answers, outside, gone);
  });
  await once(server.listen(0, host), "listening");
  const ownPort = (server.address() as { port: number }).port;
  const cut = () => {
    for (const one of open) one.destroy();
  };
  return {
    bootstrap: `${host}:${ownPort}`,
    /** Every connection ends, and a new one leads to another cluster. */
    leadTo(bootstrap: string): void {
      to = portOf(bootstrap);
      cut();
    },
    [Symbol.dispose](): void {
      server.close();
      cut();
    },
  };
}

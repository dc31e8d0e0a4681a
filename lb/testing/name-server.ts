/** A DNS server in the place of Docker's: every name leads to the addresses that the test gives. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

export type NameServer = {
  readonly port: number;
  /** What every name leads to from now on. */
  addresses: string[];
  [Symbol.dispose](): void;
};

/** Starts it on a free port. */
export async function startNameServer(addresses: string[]): Promise<NameServer> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    socket.send(answerTo(query, server.addresses), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const server: NameServer = {
    port: socket.address().port,
    addresses,
    [Symbol.dispose]: () => socket.close(),
  };
  return server;
}

const typeA = 1;
const headerBytes = 12;

/** An answer (RFC 1035, section 4): A records to a question for such, none to any other. */
function answerTo(query: Buffer, addresses: string[]): Buffer {
  const nameEnd = query.indexOf(0, headerBytes);
  const question = query.subarray(headerBytes, nameEnd + 5);
  const records = query.readUInt16BE(nameEnd + 1) === typeA ? addresses : [];
  const header = Buffer.alloc(headerBytes);
  query.copy(header, 0, 0, 2);
  // A response, recursion desired and available, no error; one question and so many answers.
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records.map(record)]);
}

/** The name is the one at the question's place; type A, class IN, 1 s to live, 4 bytes of address. */
const record = (address: string) =>
  Buffer.from([0xc0, headerBytes, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split(".").map(Number)]);

/**
 * A broker's door that lets nobody in: it speaks Kafka's protocol as far as authentication goes and refuses the mechanism or
 * the password. librdkafka's mock cluster asks for neither.
 */

/** Of the protocol: https://kafka.apache.org/protocol, «Api Keys» and «Error Codes». */
const saslHandshake = 17;
const apiVersions = 18;
const saslAuthenticate = 36;
const unsupportedVersion = 35;
const unsupportedMechanism = 33;
const authenticationFailed = 58;

const int16 = (value: number) => Buffer.from(Uint8Array.of(value >> 8, value & 255));
const int32 = (value: number) => Buffer.concat([int16(value >>> 16), int16(value & 65_535)]);
const string = (text: string) => Buffer.concat([int16(text.length), Buffer.from(text)]);
const array = (items: Buffer[]) => Buffer.concat([int32(items.length), ...items]);

/** @param mechanism the only one that it takes */
export function startRefusingBroker(mechanism: string) {
  function answerTo(kind: number, version: number, body: Buffer): Buffer {
    if (kind === apiVersions) {
      const known = [
        [saslHandshake, 1],
        [apiVersions, 0],
        [saslAuthenticate, 0],
      ].map(([key = 0, most = 0]) => Buffer.concat([int16(key), int16(0), int16(most)]));
      return Buffer.concat([int16(version > 0 ? unsupportedVersion : 0), array(known)]);
    }
    if (kind === saslHandshake) {
      const asked = body.toString("latin1", 2, 2 + body.readInt16BE(0));
      return Buffer.concat([
        int16(asked === mechanism ? 0 : unsupportedMechanism),
        array([string(mechanism)]),
      ]);
    }
    return Buffer.concat([int16(authenticationFailed), string("Invalid username or password"), int32(0)]);
  }
  const server = Bun.listen<{ received: Buffer }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { received: Buffer.alloc(0) };
      },
      data(socket, bytes) {
        let { received } = socket.data;
        received = Buffer.concat([received, bytes]);
        while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
          const request = received.subarray(4, 4 + received.readInt32BE(0));
          received = received.subarray(4 + request.length);
          // Kind, version, correlation, the client's name.
          const body = request.subarray(10 + Math.max(0, request.readInt16BE(8)));
          const answer = answerTo(request.readInt16BE(0), request.readInt16BE(2), body);
          socket.write(Buffer.concat([int32(4 + answer.length), request.subarray(4, 8), answer]));
        }
        socket.data.received = received;
      },
    },
  });
  return {
    bootstrap: `127.0.0.1:${server.port}`,
    [Symbol.dispose]: () => server.stop(true),
  };
}

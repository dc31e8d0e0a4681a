// Holds unfinished bodies at a balancer, half of them within its buffer and half beyond it, and says once a second how
// many: `bun slow-bodies-client.ts http://haproxy:8080 750`. Whatever is closed on it begins anew; after an hour it ends,
// should nobody have healed it. Of https, it trusts the CA in ca.crt and shows the API key in api-key, both in /run/secrets.
// Runs alone in a container, so it imports nothing of ours.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

const [url = "", count = "0"] = process.argv.slice(-2);
const { protocol, hostname, port } = new URL(url);
const secret = (name: string) => readFileSync(`/run/secrets/${name}`, "utf8").trimEnd();
const secured = protocol === "https:" && { ca: secret("ca.crt"), key: secret("api-key") };
const trickleMs = 2_000;
/** Whoever turns them away is not to be busy with that alone; a handshake of TLS costs both sides a part of a millisecond. */
const againMs = secured ? 15_000 : 3_000;
const apartMs = secured ? 8 : 0;
/** Above the balancer's buffer: it is passed on to a producer, and goes on from there. */
const beyondBuffer = 17_600;
const lastsMs = 3_600_000;
let held = 0;

const head = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nhost: coffee-orders\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n` +
  `${secured ? `authorization: Bearer ${secured.key}\r\n` : ""}\r\n`;

function hold(n: number): void {
  const address = { host: hostname, port: Number(port) };
  const socket = secured
    ? connectTls({ ...address, servername: hostname, ca: secured.ca })
    : connect(address);
  let trickle: ReturnType<typeof setInterval> | undefined;
  socket.on(secured ? "secureConnect" : "connect", () => {
    held += 1;
    if (n % 2 === 0) socket.write(`${head("/orders", 4_000)}{`);
    else socket.write(`${head("/orders/batch", 1_000_000)}[${" ".repeat(beyondBuffer)}`);
    trickle = setInterval(() => socket.write(" "), trickleMs);
  });
  socket.on("data", () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    if (trickle) {
      held -= 1;
      clearInterval(trickle);
    }
    setTimeout(hold, againMs, n);
  });
}

for (let n = 0; n < Number(count); n += 1) setTimeout(hold, n * apartMs, n);
setInterval(() => console.log(`held ${held}`), 1_000);
setTimeout(() => process.exit(0), lastsMs);

// Holds unfinished bodies at a balancer, half of them within its buffer and half beyond it, and says once a second how
// many: `bun slow-bodies-client.ts http://haproxy:8080 750`. Whatever is closed on it begins anew; after an hour it ends,
// should nobody have healed it. Runs alone in a container, so it imports nothing of ours.
import { connect } from "node:net";

const [url = "", count = "0"] = process.argv.slice(-2);
const { hostname, port } = new URL(url);
const trickleMs = 2_000;
/** Whoever turns them away is not to be busy with that alone. */
const againMs = 3_000;
/** Above the balancer's buffer: it is passed on to a producer, and goes on from there. */
const beyondBuffer = 17_600;
const lastsMs = 3_600_000;
let held = 0;

const head = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nhost: coffee-orders\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

function hold(n: number): void {
  const socket = connect({ host: hostname, port: Number(port) });
  let trickle: ReturnType<typeof setInterval> | undefined;
  socket.on("connect", () => {
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

for (let n = 0; n < Number(count); n += 1) hold(n);
setInterval(() => console.log(`held ${held}`), 1_000);
setTimeout(() => process.exit(0), lastsMs);

// The client of what k6 can't send, against a listener that sees every byte when it comes, and answers as it is told to.
import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { until } from "../../kit/until.ts";
import { sendInPieces } from "../load/in-pieces.ts";
import { place } from "./client.ts";
import { inPiecesOf, requestOf } from "./mix.ts";

const never = new AbortController().signal;
const [chunked, slow, whole] = [inPiecesOf("run", 0), inPiecesOf("run", 1), requestOf("run", 0)];
const chunkedBatch = inPiecesOf("run", 18);
const last = (body: string) => body.slice(-12);

const opened: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of opened.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

type Seen = { text: string; times: number[] };

/** Takes connections and has each answered as soon as its text ends with what it is to end with. */
async function listener(answer: (seen: Seen, socket: Socket, nth: number) => void) {
  const all: Seen[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    const seen: Seen = { text: "", times: [] };
    const nth = all.push(seen) - 1;
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      seen.text += bytes;
      seen.times.push(performance.now());
      answer(seen, socket, nth);
    });
  });
  opened.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { port: number };
  return { url: `http://127.0.0.1:${address.port}`, all };
}

const respond = (socket: Socket, status: number, document: object, head = "") => {
  const text = JSON.stringify(document);
  socket.end(
    `HTTP/1.1 ${status} So\r\ncontent-length: ${text.length}\r\n${head}connection: close\r\n\r\n${text}`,
  );
};
const accept = (socket: Socket) => respond(socket, 202, { id: "an-id" });

test("a chunked body has no declared length, and comes whole", async () => {
  const { url, all } = await listener(({ text }, socket) => text.endsWith("0\r\n\r\n") && accept(socket));
  const [answer] = await place(url, chunked, never);
  expect(answer).toMatchObject({
    key: "run-p0",
    sent: "single-chunked",
    fate: "accepted",
    id: "an-id",
    attempts: 1,
  });
  const [head = "", body = ""] = (all[0]?.text ?? "").split(/\r\n\r\n(.*)/s);
  expect(head.toLowerCase()).toContain("transfer-encoding: chunked");
  expect(head.toLowerCase()).not.toContain("content-length");
  expect(head.toLowerCase()).toContain("idempotency-key: run-p0");
  expect(JSON.parse(body.replace(/(^|\r\n)[0-9a-f]+\r\n/g, "").trim())).toEqual(JSON.parse(chunked.body));
});

test("a slow body comes in pieces of a declared length, and its time counts from the last of them", async () => {
  const { url, all } = await listener(({ text }, socket) => text.endsWith(last(slow.body)) && accept(socket));
  const [answer] = await place(url, slow, never);
  const { text = "", times = [] } = all[0] ?? {};
  expect(text.toLowerCase()).toContain(`content-length: ${slow.body.length}\r\n`);
  expect(text.endsWith(`\r\n\r\n${slow.body}`)).toBe(true);
  const tookMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  expect(tookMs).toBeGreaterThan(900);
  expect(times.length).toBeGreaterThanOrEqual(5);
  expect(answer?.fate).toBe("accepted");
  expect((answer?.endedMs ?? 0) - (answer?.startedMs ?? 0)).toBeLessThan(tookMs);
});

test("a connection that breaks before or amid the answer is none, and the same key is sent again", async () => {
  const { url, all } = await listener(({ text }, socket, nth) => {
    if (!text.endsWith(last(whole.body))) return;
    if (nth === 0) socket.destroy();
    else if (nth === 1) socket.end("HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{");
    else respond(socket, 422, { fate: "refused" });
  });
  const [answer] = await place(url, whole, never);
  expect(answer).toMatchObject({ attempts: 3, firstStatus: 0, status: 422, fate: "unknown" });
  expect(all.map(({ text }) => /idempotency-key: (\S+)/i.exec(text)?.[1])).toEqual(Array(3).fill("run-0"));
}, 120_000);

test("an early answer ends a slow body, which is not repeated where it can't be helped", async () => {
  const { url, all } = await listener((_, socket) => respond(socket, 413, { fate: "refused" }));
  const [answer] = await place(url, slow, never);
  expect(answer).toMatchObject({ attempts: 1, status: 413, fate: "refused" });
  expect(all).toHaveLength(1);
});

test("a batch has a line for each order, by its own outcome", async () => {
  const { url } = await listener(({ text }, socket) => {
    if (!text.endsWith("0\r\n\r\n")) return;
    const outcomes = chunkedBatch.orders.map((_, n) => ({ status: n === 3 ? 422 : 202, id: `id-${n}` }));
    respond(socket, 207, { outcomes });
  });
  const answers = await place(url, chunkedBatch, never);
  expect(answers.map(({ key }) => key)).toEqual(chunkedBatch.orders.map(({ key }) => key));
  expect(answers.map(({ fate }) => fate)).toEqual(
    chunkedBatch.orders.map((_, n) => (n === 3 ? "refused" : "accepted")),
  );
});

test("a load in pieces ends when it is told to, and what is under way is unknown then", async () => {
  const { url, all } = await listener(({ text }, socket, nth) => {
    if (nth === 0 && text.endsWith("0\r\n\r\n")) accept(socket);
  });
  const beganMs = Date.now();
  const stopping = new AbortController();
  const done = sendInPieces(url, "run", [{ rate: 1_000, seconds: 600 }], {
    stop: stopping.signal,
    retries: 3,
  });
  await until("some are under way", () => all.length > 5);
  stopping.abort(new Error("told to stop"));
  const { answers, dropped } = await done;
  expect(dropped).toBe(0);
  expect(new Set(answers.map(({ fate }) => fate))).toEqual(new Set(["accepted", "unknown"]));
  expect(answers.find(({ fate }) => fate === "unknown")).toMatchObject({ attempts: 0, status: 0 });
  for (const { startedMs, endedMs } of answers) {
    expect(startedMs).toBeGreaterThanOrEqual(beganMs);
    expect(endedMs).toBeGreaterThanOrEqual(startedMs);
  }
  const keys = answers.map(({ key }) => key.split("/")[0]);
  expect(new Set(keys)).toEqual(new Set(Array.from({ length: new Set(keys).size }, (_, n) => `run-p${n}`)));
});

test("a load in pieces keeps its rate whatever the answers, until its last step is over", async () => {
  const { url } = await listener(({ text }, socket) => /(0\r\n\r\n|\}\]?)$/.test(text) && accept(socket));
  const { answers, dropped } = await sendInPieces(url, "run", [{ rate: 300, seconds: 2 }], {
    stop: never,
    retries: 3,
  });
  // Two a second, and one at once.
  expect(dropped).toBe(0);
  expect(answers.map(({ key }) => key).sort()).toEqual(["run-p0", "run-p1", "run-p2", "run-p3", "run-p4"]);
});

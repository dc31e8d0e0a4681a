/**
 * Tries under one key, one after the other, as no good client makes them: as an order and as a batch, the key written in several
 * ways, on the connection of before or another one, in chunks, late, never whole, too long, malformed, without a credential, and
 * cut. The same seed makes the same tries; what becomes of them is the system's.
 */
import { orderId, orderKey } from "../../src/wire/order-id.ts";
import type { newApiKey } from "../../testing/credentials.ts";
import { connectHttp, type HttpConnection, NoAnswerError } from "../../testing/http-connection.ts";
import { batch, chunks, order, request } from "./hostile/bytes.ts";

/** What is wrong with a try itself, if anything is: then «refused» is true of it whatever became of others. */
const faults = ["too long", "no JSON", "a bad chunk", "another type"] as const;
const others = ["chunks", "trailers", "late", "not whole", "cut", "no credential"] as const;
export type Kind = (typeof faults | typeof others)[number] | "good";
const kinds: readonly Kind[] = [...faults, ...others, ...Array.from({ length: 9 }, () => "good" as const)];

/** What a try was told of an order; nothing: no answer, which is unknown. */
export type Told = {
  /** Where it stands: `key try kind`, for whoever reads a failure. */
  which: string;
  id: string;
  fate: string;
  status: number;
  isFaulty: boolean;
  /** When the next try was sent, which may have written it as well. */
  nextMs: number;
};

type Principal = { name: string; key: ReturnType<typeof newApiKey>["key"] };
export type Draw = () => number;

const oneOf = <T>(draw: Draw, some: readonly T[]): T => some[Math.floor(draw() * some.length)] as T;

/** Makes a sequence of three to five tries from an address. @returns what each was told of each of its orders */
export async function runSequence(options: {
  port: number;
  localAddress: string;
  key: string;
  draw: Draw;
  principal: Principal | undefined;
}): Promise<Told[]> {
  const { port, localAddress, key, draw, principal } = options;
  const told: Told[] = [];
  const usual = oneOf(draw, [0, 0, 0, 1, 4, 200]);
  let connection: HttpConnection | undefined;
  for (let n = 3 + Math.floor(draw() * 3); n > 0; n -= 1) {
    const kind = oneOf(draw, kinds);
    const count = draw() < 0.1 ? 2 : usual;
    const bytes = bytesOf({ kind, count, key, form: oneOf(draw, forms), principal });
    const reused = draw() < 0.6 && connection?.isOpen ? connection : undefined;
    if (!reused) connection?.close();
    // Whoever connects too often is turned away, and has sent nothing.
    const current = reused ?? (await connectHttp(port, localAddress).catch(() => undefined));
    connection = current;
    if (!current) continue;
    const sentMs = Date.now();
    for (const one of told) one.nextMs = Math.min(one.nextMs, sentMs);
    const answer = await sent(current, kind, bytes);
    if (kind === "cut") {
      current.close();
      connection = undefined;
    }
    const { status = 0, body = "{}" } = answer ?? {};
    const { outcomes, fate } = body.startsWith("{")
      ? JSON.parse(body)
      : { outcomes: undefined, fate: "refused" };
    for (let at = 0; at < Math.max(1, count); at += 1) {
      const one = outcomes?.[at] ?? { status, fate };
      told.push({
        ...{ which: `${key} ${n} ${kind} of ${count}`, nextMs: Number.POSITIVE_INFINITY, status: one.status },
        id: idOf(
          customerOf(key, count, at, principal),
          orderKey(key, count === 0 ? undefined : at),
          principal,
        ),
        fate: one.status === 202 ? "accepted" : (one.fate ?? "unknown"),
        isFaulty: (faults as readonly string[]).includes(kind),
      });
    }
    if (draw() < 0.3) await Bun.sleep(draw() * 600);
  }
  connection?.close();
  return told;
}

const idOf = (customer: string, key: string, principal: Principal | undefined) =>
  orderId(customer, key, principal?.name);
const customerOf = (key: string, count: number, at: number, principal: Principal | undefined) =>
  `${principal ? `${principal.name}/` : ""}${key}-${count === 0 ? 0 : `0.${at}`}`;

const forms = [(key: string) => key, (key: string) => `"${key}"`, (key: string) => `"${key}"; a="x;\\"y"; b`];

/** The bytes of a try, in two parts. */
function bytesOf(of: {
  kind: Kind;
  count: number;
  key: string;
  form: (key: string) => string;
  principal: Principal | undefined;
}): [string, string] {
  const { kind, count, key, form, principal } = of;
  const one = (at: number) => order().replace("CASE-0", customerOf(key, count, at, principal));
  const good = count === 0 ? one(0) : `[${Array.from({ length: count }, (_, at) => one(at)).join(",")}]`;
  const credential = kind === "no credential" ? "nobody's" : principal?.key;
  const lines = [
    `Idempotency-Key: ${form(key)}`,
    ...(principal ? [`Authorization: Bearer ${credential}`] : []),
  ];
  const write =
    count === 0 ? request : (parts: Parameters<typeof request>[0]) => batch(parts?.body ?? "", parts);
  const inChunks = (body: string) =>
    write({ lines: [...lines, "Transfer-Encoding: chunked"], length: undefined, body });
  const whole = write({ lines, body: good });
  if (kind === "too long") return [write({ lines, body: good.padEnd(count === 0 ? 8_193 : 1_048_577) }), ""];
  if (kind === "no JSON") return [write({ lines, body: `${good.slice(0, -1)}x` }), ""];
  if (kind === "another type") return [write({ lines, body: good, type: "text/plain" }), ""];
  if (kind === "a bad chunk")
    return [inChunks(chunks(good, { size: 60 }).replace(/0\r\n\r\n$/, "zz\r\n\r\n")), ""];
  if (kind === "chunks") return [inChunks(chunks(good, { size: 700 })), ""];
  if (kind === "trailers")
    return [inChunks(chunks(good, { size: 700, trailers: "Idempotency-Key: other\r\n" })), ""];
  return [whole.slice(0, -2), whole.slice(-2)];
}

/** Sends it as its kind has it. @returns nothing where no answer came, or nobody waited for one */
async function sent(connection: HttpConnection, kind: Kind, [first, rest]: [string, string]) {
  connection.write(Buffer.from(first, "latin1"));
  if (kind === "late") await Bun.sleep(200);
  if (kind !== "not whole") connection.write(Buffer.from(rest, "latin1"));
  // Whatever comes next comes to the balancer after it.
  if (kind === "cut") return void (await Bun.sleep(100));
  try {
    return await connection.answer();
  } catch (error) {
    if (error instanceof NoAnswerError) return undefined;
    throw error;
  }
}

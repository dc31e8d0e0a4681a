// No answer that the table of outcomes does not know, and none that is untrue: each of a few hundred hostile inputs goes
// over a connection of its own through the real balancer to real producers, is answered as it should be, and what that
// answer says of the order's fate is held against the ledger.
import { beforeAll, expect, test } from "bun:test";
import { type OutcomeName, outcomes } from "../src/outcomes.ts";
import { accessLine } from "./testing/access-line.ts";
import type { Expected } from "./testing/hostile/bytes.ts";
import type { RawAnswer } from "./testing/hostile-client.ts";
import { hostileInputs } from "./testing/hostile-inputs.ts";
import { type Aftermath, digits, runAll } from "./testing/hostile-run.ts";

const limitMs = 180_000;
let aftermath: Aftermath;
beforeAll(async () => {
  aftermath = await runAll(hostileInputs);
}, limitMs);

test.each(hostileInputs.map((input, at) => [input[0], at] as const))("%s", (_, at) => {
  const [, bytes, ...expected] = hostileInputs[at] ?? fail();
  const { answers, ending } = aftermath.exchanges[at] ?? fail();
  const told = answers.map((answer) => outcomeOf(answer, askedIn(bytes)));
  expect([...told, ...(ending === "closed" ? [] : [ending])]).toEqual(
    expected.flatMap((answer) => (answer === "closed" ? [] : [repeated(answer) ?? answer])),
  );
  for (const { headers } of answers) expect([...headers.keys()]).not.toContain("order-fate");

  for (const [n, answer] of expected.entries()) {
    const written = customersOf(`${digits(at)}-${n}`);
    if (typeof answer === "object" && "batch" in answer)
      expect(written).toEqual(
        answer.batch.flatMap((outcome, m) => (outcome === "accepted" ? [`${digits(at)}-${n}.${m}`] : [])),
      );
    else if (answer === "accepted") expect(written).toEqual([`${digits(at)}-${n}`]);
    else if (fateOf(answer) !== "unknown") expect(written).toEqual([]);
  }
});

test("nothing is handled twice, nothing that nobody sent, and all that was accepted can be handled", () => {
  const { ledger, dead } = aftermath;
  const answered = new Set(
    hostileInputs.flatMap(([, , ...expected], at) => expected.map((_, n) => `${digits(at)}-${n}`)),
  );
  for (const [customer, count] of ledger) {
    expect([customer, count]).toEqual([customer, 1]);
    if (customer !== "last") expect(answered).toContain(customer.replace(/\..*/, ""));
  }
  expect(dead).toBe(0);
});

test("whatever was sent, each line of the access log is whole, and together they say what was accepted", () => {
  const lines = aftermath.accessLog.map(accessLine);
  const answered = aftermath.exchanges.flatMap(({ answers }) => answers);
  // And the last order, which is no case.
  expect(lines.filter(({ status }) => status === 202)).toHaveLength(
    answered.filter(({ status }) => status === 202).length + 1,
  );
  const batches = answered.flatMap(({ status, body }) => (status === 207 ? JSON.parse(body).outcomes : []));
  const logged = lines.filter(({ status }) => status === 207).map((line) => Number(line.accepted));
  expect(logged.reduce((sum, count) => sum + count, 0)).toBe(batches.filter((item) => "id" in item).length);
  for (const { fate, accepted } of lines) if (fate === "refused") expect(accepted).toBe(0);
});

/** Customers in the ledger whose orders came with one request. */
const customersOf = (request: string): string[] =>
  [...aftermath.ledger.keys()]
    .filter((customer) => customer.replace(/\..*/, "") === request)
    .sort((one, other) => Number(one.split(".")[1]) - Number(other.split(".")[1]));

const repeated = (answer: Expected): OutcomeName | undefined =>
  typeof answer === "object" && "again" in answer ? answer.again : undefined;

/** What an answer that names no accepted order means for it: without an answer it may have been accepted. */
function fateOf(answer: Expected): "refused" | "unknown" {
  if (answer === "closed") return "unknown";
  if (typeof answer === "string") return outcomes[answer].fate === "unknown" ? "unknown" : "refused";
  return "status" in answer || "own" in answer || "again" in answer ? "refused" : "unknown";
}

/** An answer in the words of the table of inputs; all that it says agrees with the table of outcomes. */
function outcomeOf({ status, headers, body }: RawAnswer, asked: Asked): Expected {
  const type = headers.get("content-type");
  if (status === 202) {
    expect(headers.get("location")?.split("?")[0]).toBe(`/orders/${JSON.parse(body).id}`);
    return "accepted";
  }
  if (status === 207)
    return {
      batch: JSON.parse(body).outcomes.map((item: object) =>
        "id" in item ? "accepted" : named(item, asked),
      ),
    };
  if (type === "application/problem+json" && body !== "") {
    const document = JSON.parse(body);
    const name = named(document, asked);
    expect(document.status).toBe(status);
    // RFC 9110, 6.6.1.
    expect(Date.parse(headers.get("date") ?? "")).not.toBeNaN();
    const { retryAfterS } = outcomes[name];
    expect(headers.get("retry-after")).toBe(retryAfterS === undefined ? null : String(retryAfterS));
    return name;
  }
  return type === "text/html" && status >= 400 ? { own: status } : { status };
}

type Asked = "order" | "look-up" | "something else";
const askedIn = (bytes: string): Asked =>
  bytes.startsWith("POST ")
    ? "order"
    : /^(GET|HEAD) \/orders\/[\da-f-]{36}/i.test(bytes)
      ? "look-up"
      : "something else";

/** The outcome that a problem document names. Lost on the way, an order is refused; a look-up has no fate. */
function named(document: { type?: string; fate?: string; status?: number; title?: string }, asked: Asked) {
  const name = document.type?.replace("urn:problem-type:coffee-orders:", "") as OutcomeName;
  expect(Object.keys(outcomes)).toContain(name);
  const { status, title, fate = asked === "order" ? "refused" : undefined } = outcomes[name];
  expect(document).toMatchObject({ status, title });
  expect(document.fate).toBe(asked === "look-up" ? undefined : fate);
  return name;
}

function fail(): never {
  throw new Error("there is no such case");
}

import { describe, expect, test } from "bun:test";
import type { MixedRequest } from "./mix.ts";
import { createTold, isContradicted } from "./told.ts";

const single = { path: "/orders", sent: "single", orders: [{ key: "k", customer: "c" }] } as const;
const batch = {
  path: "/orders/batch",
  sent: "batch",
  orders: [0, 1, 2].map((n) => ({ key: `k/${n}`, customer: `c${n}` })),
} as const;

type Answer = [status: number, document?: unknown];
const ok = (id: string) => ({ status: 202, id });
const full = { status: 503, fate: "refused" };
const late = { status: 504, fate: "unknown" };
const many = (...outcomes: object[]): Answer => [207, { outcomes }];

/** What is known of a request after these answers, an answer each second. */
function after(request: Pick<MixedRequest, "path" | "sent" | "orders">, ...answers: Answer[]) {
  const told = createTold(request);
  for (const [n, [status, document]] of answers.entries()) {
    const text = document === undefined ? null : JSON.stringify(document);
    told.hear({ status, text, startedMs: n * 1_000, endedMs: n * 1_000 + 10 });
  }
  return told;
}
const fates = (told: ReturnType<typeof after>) => told.answers().map(({ fate }) => fate);

describe("a single order", () => {
  test("is what its answer says, with its times", () => {
    const told = after(single, [503, full], [202, { id: "one" }]);
    expect(told.answers()).toEqual([
      {
        ...{ key: "k", customer: "c", sent: "single", startedMs: 0, endedMs: 1_010, attempts: 2 },
        ...{ firstStatus: 503, status: 202, fate: "accepted", id: "one" },
      },
    ]);
    expect([told.accepted(), told.again()]).toEqual([true, false]);
  });

  test.each<[Answer[], string, boolean]>([
    [[[503, full]], "refused", true],
    [[[422, { status: 422, fate: "refused" }]], "refused", false],
    [[[400, undefined]], "refused", false],
    [[[0]], "unknown", true],
    [[[503, { fate: "unknown" }]], "unknown", true],
    [[[502], [503, full]], "unknown", true],
    [
      [
        [503, full],
        [504, late],
        [422, { fate: "refused" }],
      ],
      "unknown",
      false,
    ],
    [[[200, { id: "one" }]], "unknown", true],
  ])("%j leaves it %s", (answers, fate, again) => {
    const told = after(single, ...answers);
    expect({ fate: fates(told)[0] as string, again: told.again() }).toEqual({ fate, again });
  });
});

describe("a batch", () => {
  test("has a fate for each order, and is sent again while one needs it", () => {
    const first = after(batch, many(ok("a"), full, late));
    expect(fates(first)).toEqual(["accepted", "refused", "unknown"]);
    expect([first.accepted(), first.again()]).toEqual([false, true]);
    const second = after(batch, many(ok("a"), full, late), many(ok("a"), ok("b"), full));
    expect(fates(second)).toEqual(["accepted", "accepted", "unknown"]);
    expect(
      second.answers().map(({ firstStatus, status, attempts }) => [firstStatus, status, attempts]),
    ).toEqual([
      [202, 202, 1],
      [503, 202, 2],
      [504, 503, 2],
    ]);
  });

  test("is not sent again for what another try can't help", () => {
    const told = after(batch, many(ok("a"), ok("b"), { status: 422, fate: "refused" }));
    expect([...fates(told), told.again()]).toEqual(["accepted", "accepted", "refused", false]);
  });

  test.each<[string, Answer[], string]>([
    ["refused as a whole", [[503, full]], "refused"],
    ["lost as a whole", [[502]], "unknown"],
    ["never answered", [[0]], "unknown"],
    ["lost, and then refused", [[502], [503, full]], "unknown"],
    ["answered with too few outcomes", [many(ok("a"))], "unknown"],
    ["answered with something else", [[207, "fine"]], "unknown"],
    ["answered with too many outcomes", [many(ok("a"), ok("b"), ok("c"), ok("d"))], "unknown"],
    ["answered with holes", [[207, { outcomes: [ok("a"), null, "fine"] }]], "unknown"],
    ["answered with no list", [[207, { outcomes: { length: 3 } }]], "unknown"],
  ])("that is %s leaves each of its orders so", (_, answers, fate) => {
    expect(fates(after(batch, ...answers))).toEqual([fate, fate, fate] as never);
  });

  test("keeps what was accepted, whatever a later try is told", () => {
    const told = after(batch, many(ok("a"), full, full), [502], [503, full]);
    expect(fates(told)).toEqual(["accepted", "unknown", "unknown"]);
    expect(told.answers()[0]).toMatchObject({ id: "a", attempts: 1, againStatus: 503 });
  });
});

describe("an accepted order that is sent once more", () => {
  const again = (...answers: Answer[]) => after(single, [202, { id: "one" }], ...answers).answers()[0];

  test.each<[string, Answer[], boolean]>([
    ["accepted under the same id", [[202, { id: "one" }]], false],
    ["refused for now", [[503, full]], false],
    ["told nothing", [[0]], false],
    ["accepted under another id", [[202, { id: "two" }]], true],
    ["accepted under no id", [[202, {}]], true],
    ["called a fault", [[422, { fate: "refused" }]], true],
    [
      "called a fault once",
      [
        [422, { fate: "refused" }],
        [202, { id: "one" }],
      ],
      true,
    ],
  ])("and %s: a contradiction or not", (_, answers, contradicted) => {
    const told = again(...answers);
    expect(told).toMatchObject({ fate: "accepted", id: "one", endedMs: 10 });
    expect(isContradicted(told as NonNullable<typeof told>)).toBe(contradicted);
  });
});

test("an accepted order has its place, as the answer told it", () => {
  const places = [{ partition: 3, offset: 17 }, { partition: 3, offset: null }, { partition: "3" }];
  const told = after(batch, many(...places.map((place, n) => ({ ...ok(`${n}`), ...place }))));
  expect(told.answers().map(({ place }) => place)).toEqual([
    { partition: 3, offset: 17 },
    { partition: 3, offset: null },
    undefined,
  ]);
  expect(after(single, [202, { id: "a", partition: 0, offset: 0 }]).answers()[0]).toMatchObject({
    place: { partition: 0, offset: 0 },
  });
});

test("whoever is interrupted knows what was accepted, and nothing else", () => {
  const told = after(batch, many(ok("a"), full, late));
  told.interrupt(500, 2_000);
  expect(fates(told)).toEqual(["accepted", "unknown", "unknown"]);
  const unheard = createTold(single);
  unheard.interrupt(500, 2_000);
  expect(unheard.answers()[0]).toMatchObject({
    ...{ startedMs: 500, endedMs: 2_000, attempts: 0, firstStatus: 0, status: 0, fate: "unknown" },
  });
});

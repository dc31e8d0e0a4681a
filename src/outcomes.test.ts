import { describe, expect, test } from "bun:test";
import {
  OutcomeError,
  type OutcomeName,
  outcomes,
  type ProblemName,
  problem,
  problemResponse,
} from "./outcomes.ts";

const names = Object.keys(outcomes) as OutcomeName[];
const problems = names.filter((name): name is ProblemName => name !== "accepted");

const ofLookUps: OutcomeName[] = ["not_found", "ledger_unavailable"];

test("only 202 says accepted, and nothing is unknown that was refused", () => {
  for (const name of names) {
    const { status, fate } = outcomes[name];
    if (fate === "accepted") expect(status).toBe(202);
    // A client may take every 4xx and every 503 for certain: it was not accepted.
    if (ofLookUps.includes(name)) expect(fate).toBeUndefined();
    else if ((status < 500 && status !== 202) || status === 503) expect(fate).toBe("refused");
    if ([500, 502, 504].includes(status)) expect(fate).toBe("unknown");
  }
});

test("whoever is to come back is told when", () => {
  for (const name of problems)
    if ([429, 502, 503, 504].includes(outcomes[name].status))
      expect(outcomes[name].retryAfterS).toBeGreaterThan(0);
});

test("an expected failure has no stack, and leaves those of defects as they are", () => {
  expect(new OutcomeError("not_ready", "why").stack ?? "").not.toContain("outcomes.test.ts");
  expect(new Error("a defect").stack).toContain("outcomes.test.ts");
});

describe("a problem document", () => {
  test("has the members of RFC 9457, and the fate", () => {
    const errors = [{ pointer: "/size" }];
    const document: object = problem(new OutcomeError("invalid_order", "see errors", { errors }));
    expect(document).toEqual({
      type: "urn:problem-type:coffee-orders:invalid_order",
      title: "The order is not valid",
      status: 422,
      detail: "see errors",
      fate: "refused",
      errors: [{ pointer: "/size" }],
    });
  });

  test.each(problems)("%s is answered by its row of the table", async (name) => {
    const answer = problemResponse(new OutcomeError(name, "why"));
    const { status, title, fate, retryAfterS } = outcomes[name];
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("retry-after")).toBe(retryAfterS ? String(retryAfterS) : null);
    const document = (await answer.json()) as Record<string, unknown>;
    expect(document).toEqual({ type: expect.any(String), title, status, detail: "why", fate });
    expect(URL.canParse(document.type as string)).toBe(true);
  });

  test("every type is another one", () => {
    expect(new Set(problems.map((name) => problem(new OutcomeError(name, "")).type)).size).toBe(
      problems.length,
    );
  });
});

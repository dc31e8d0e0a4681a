import { expect } from "bun:test";
import { outcomes, type ProblemName } from "../../src/outcomes.ts";
import type { HttpAnswer } from "../../testing/http-connection.ts";

/** The answer is a problem document by the table of outcomes, as a producer would have made it. */
export function expectProblem(answer: HttpAnswer, name: ProblemName): void {
  const { status, title, fate, retryAfterS } = outcomes[name];
  const type = `urn:problem-type:coffee-orders:${name}`;
  expect(JSON.parse(answer.body)).toEqual({ type, title, status, detail: expect.any(String), fate });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get("retry-after")).toBe(retryAfterS === undefined ? null : String(retryAfterS));
}

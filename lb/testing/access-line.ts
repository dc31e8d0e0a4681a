/** A line of the access log, as it must be whatever was sent. */
import { expect } from "bun:test";

const text = expect.any(String);
const number = expect.any(Number);
const members = {
  ...{
    time: number,
    client: text,
    principal: text,
    asked: text,
    id: text,
    key: text,
    status: number,
    fate: text,
  },
  ...{
    orders: number,
    accepted: number,
    bytes_in: number,
    bytes_out: number,
    head_ms: number,
    queue_ms: number,
  },
  ...{ connect_ms: number, answer_ms: number, all_ms: number, server: text, retries: text, ended: text },
};

const failure = { time: number, client: text, failure: text, tls: text };

/**
 * Reads it: one JSON document of these members and no others, within the longest that a line may be. What comes to no
 * request has members of its own.
 */
export function accessLine(line: string): Record<string, string | number> {
  expect(line).toMatch(/^[ -~]{1,1023}$/);
  const read = JSON.parse(line);
  expect(read).toEqual("failure" in read ? failure : members);
  return read;
}

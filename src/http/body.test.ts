import { expect, jest, test } from "bun:test";
import { readJsonBody } from "./body.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A request whose body is these chunks, without a declared length. */
function streamed(chunks: Uint8Array[], end: "close" | "error" = "close"): Request {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk) controller.enqueue(chunk);
      else if (end === "close") controller.close();
      else controller.error(new Error("connection reset"));
    },
  });
  return new Request("http://x/", { method: "POST", headers: { "content-type": "application/json" }, body });
}

/** A request that says this of its body. */
function said(headers: Record<string, string>): Request {
  // A Blob without a type, so that none is added.
  return new Request("http://x/", { method: "POST", body: new Blob(["{}"]), headers });
}
const typed = (mediaType: string) => said({ "content-type": mediaType });
const coded = (coding: string) => said({ "content-type": "application/json", "content-encoding": coding });

const refused = (outcome: string) => expect.objectContaining({ name: "OutcomeError", outcome });

test.each([
  "application/json",
  "Application/JSON",
  "application/json; charset=utf-8",
  "application/json;charset=UTF-8",
  'application/json; charset="utf-8"',
  'application/json;Charset="UTF-8" ; x=y',
  " application/json ;x=y",
  "application/json; x=y; x=z",
  "application/json;",
  "application/json; ; x=y",
  'application/json; note="charset=utf-16"',
  'application/json; note="\\"; charset=utf-16; \\""',
])("%s is taken", async (mediaType) => {
  expect(await readJsonBody(typed(mediaType), 100)).toEqual(encode("{}"));
});

test.each([
  "",
  "text/json",
  "application/json, application/json",
  "application/json; charset=utf-16",
  "application/json; charset=utf8",
  "application/json; charset=iso-8859-1",
  'application/json; charset="utf-16"',
  'application/json; charset=""',
  "application/json; charset='utf-8'",
  "application/json; charset=utf-8; charset=utf-8",
  "application/json; charset=utf-8; CHARSET=utf-16",
  'application/json; note="\\"; charset=utf-16',
  "application/json; charset",
  "application/json; charset=",
  "application/json; charset = utf-8",
  'application/json; charset="utf-8',
  'application/json; charset="utf-8" x',
  "application/json charset=utf-8",
  "application/jsonx",
  "application/x-www-form-urlencoded",
  "text/plain",
])("%s is not taken", async (mediaType) => {
  await expect(readJsonBody(typed(mediaType), 100)).rejects.toThrow(refused("unsupported_media_type"));
});

test("a body without a media type is not taken", async () => {
  await expect(readJsonBody(said({}), 100)).rejects.toThrow(refused("unsupported_media_type"));
});

test.each(["", "identity", "Identity"])("a body in the content coding %j is taken", async (coding) => {
  expect(await readJsonBody(coded(coding), 100)).toEqual(encode("{}"));
});

test.each(["gzip", "br", "deflate", "x-gzip", "identity, gzip", "gzip, identity", "identity, identity", "*"])(
  "a body in the content coding %j is not taken",
  async (coding) => {
    await expect(readJsonBody(coded(coding), 100)).rejects.toThrow(refused("unsupported_media_type"));
  },
);

test("chunks are put together, up to the very bound", async () => {
  const chunks = ["[1", ",2,", "3]"].map(encode);
  expect(await readJsonBody(streamed(chunks), 7)).toEqual(Buffer.from("[1,2,3]"));
});

test("one byte more is too large, also where no length was declared", async () => {
  const chunks = ["[1", ",2,", "3]"].map(encode);
  await expect(readJsonBody(streamed(chunks), 6)).rejects.toThrow(refused("body_too_large"));
});

test("a body without an end is not read beyond its bound, and whoever sends it is told to stop", async () => {
  let read = 0;
  let stopped = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      read += 1;
      controller.enqueue(new Uint8Array(1_000));
    },
    cancel() {
      stopped = true;
    },
  });
  const request = new Request("http://x/", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  await expect(readJsonBody(request, 10_000)).rejects.toThrow(refused("body_too_large"));
  expect(read).toBeLessThan(20);
  expect(stopped).toBe(true);
});

test("a length above the bound is refused before a byte is read", async () => {
  const request = new Request("http://x/", {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": "1001" },
    body: new ReadableStream({ pull: () => new Promise(() => undefined) }),
  });
  await expect(readJsonBody(request, 1_000)).rejects.toThrow(refused("body_too_large"));
});

test("no body is an empty one", async () => {
  const headers = { "content-type": "application/json" };
  const request = new Request("http://x/", { method: "POST", headers });
  expect(await readJsonBody(request, 100)).toEqual(new Uint8Array());
});

test("a body that breaks off is malformed, not a crash", async () => {
  const request = streamed([encode("[1,")], "error");
  await expect(readJsonBody(request, 100)).rejects.toThrow(refused("malformed_body"));
});

test("a body that does not come is given up, and whoever sends it is told to stop", async () => {
  let stopped = false;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encode("[1,")),
    cancel() {
      stopped = true;
    },
  });
  const headers = { "content-type": "application/json" };
  const request = new Request("http://x/", { method: "POST", headers, body });
  await expect(readJsonBody(request, 100, 50)).rejects.toThrow(refused("body_timeout"));
  expect(stopped).toBe(true);
});

test("a body that has come leaves no timer, be it taken or not", async () => {
  jest.useFakeTimers();
  try {
    await readJsonBody(coded("identity"), 100);
    await expect(readJsonBody(streamed([encode("[1,2,3]")]), 6)).rejects.toThrow();
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

// Who is asking, as the shipped configuration finds it out: by certificate, token or API key. The servers hear the principal
// in a header that no client can set, and see no credential. Whoever has no valid one is refused here.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { capture } from "../kit/capture.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, fixedPort, haproxy, startBalancer } from "../testing/balancer.ts";
import {
  audience,
  base64url,
  issuer,
  newApiKey,
  newCredentials,
  newIssuer,
  nowS,
} from "../testing/credentials.ts";
import { connectHttp } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { expectProblem } from "./testing/expect-problem.ts";
import { headerOf, type StandIn, startStandIn } from "./testing/stand-in.ts";

const answer = "HTTP/1.1 202 Accepted\r\nOrder-Fate: accepted\r\nContent-Length: 2\r\n\r\n{}";
const body = JSON.stringify(sampleOrder());
const id = "79bb16df-55b5-8561-a257-5d4a740138a6";

const credentials = newCredentials();
const ca = credentials.newCa("ca");
const edge = ca.certificate("edge");
const current = newIssuer();
const next = newIssuer();
const foreign = newIssuer();
const keys = { bank: newApiKey("bank"), till: newApiKey("till"), odd: newApiKey("not a name") };
const env = {
  LB_CERT: edge.path,
  LB_CLIENT_CA: ca.path,
  LB_JWT_KEY: credentials.write("current.pem", current.pem),
  LB_JWT_NEXT_KEY: credentials.write("next.pem", next.pem),
  LB_JWT_ISSUER: issuer,
  LB_JWT_AUDIENCE: audience,
  LB_API_KEYS: credentials.write(
    "keys",
    Object.values(keys)
      .map(({ line }) => line)
      .join(""),
  ),
  LB_POLICY: credentials.write("policy", "till *\nbank bank/*\n"),
};

let producer: StandIn;
let balancer: Balancer;
beforeAll(async () => {
  producer = startStandIn({ answer });
  balancer = await startBalancer({ producers: [producer.port], consumers: [producer.port], env });
}, 120_000);
afterAll(async () => {
  await balancer[Symbol.asyncDispose]();
  producer[Symbol.dispose]();
  credentials[Symbol.dispose]();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
type Tls = { cert?: string; key?: string };

/** An answer over TLS, with the headers and the client's certificate that are given. */
async function ask(headers: Record<string, string> = {}, tls: Tls = {}, path = "/orders") {
  const post = path === "/orders";
  const found = await fetch(`https://127.0.0.1:${balancer.port}${path}`, {
    method: post ? "POST" : "GET",
    headers: { ...jsonBody, ...headers, connection: "close" },
    ...(post && { body }),
    tls: { ca: ca.pem, ...tls },
  } as RequestInit);
  return { status: found.status, headers: found.headers, body: await found.text() };
}

/** What the server heard of who is asking. */
async function heard(headers: Record<string, string>, tls: Tls = {}, path?: string) {
  const before = producer.requests.length;
  expect((await ask(headers, tls, path)).status).toBe(202);
  expect(producer.requests.length).toBe(before + 1);
  const request = producer.requests.at(-1) as string;
  expect(headerOf(request, "authorization")).toBeUndefined();
  return [headerOf(request, "order-principal"), headerOf(request, "order-customers")];
}

/** It is refused here, and no server saw anything of it. */
async function expectRefused(headers: Record<string, string>, tls: Tls = {}): Promise<void> {
  const before = producer.requests.length;
  const refused = await ask(headers, tls);
  expectProblem(refused, "unauthenticated");
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  expect(producer.requests.length).toBe(before);
}

describe("a principal is told to the servers", () => {
  test("by certificate", async () => {
    expect(await heard({}, ca.certificate("acme"))).toEqual(["acme", undefined]);
  });

  test.each([
    ["the issuer's key", current.token("acme")],
    ["its next key", next.token("acme")],
    ["several audiences", current.token("acme", { aud: ["other", "https://x.example", audience] })],
    ["a time before which it does not hold, which is over", current.token("acme", { nbf: nowS() - 5 })],
  ])("by token: %s", async (_, token) => {
    expect(await heard(bearer(token))).toEqual(["acme", undefined]);
  });

  test("by token, where the certificate has no name for one", async () => {
    for (const cn of ["Jane Doe", "acme\n", "bank/CN=till", "é"])
      expect(await heard(bearer(keys.bank.key), ca.certificate(cn))).toEqual(["bank", "bank/*"]);
  });

  test("by API key, with the customers that it may order for", async () => {
    expect(await heard(bearer(keys.bank.key))).toEqual(["bank", "bank/*"]);
    expect(await heard(bearer(keys.till.key))).toEqual(["till", "*"]);
  });

  test("also with a look-up", async () => {
    expect(await heard(bearer(keys.bank.key), {}, `/orders/${id}`)).toEqual(["bank", "bank/*"]);
  });

  test("whatever the client says that it is", async () => {
    const spoofed = { "order-principal": "till", "Order-Customers": "*", ...bearer(current.token("acme")) };
    expect(await heard(spoofed)).toEqual(["acme", undefined]);
  });
});

describe("refused is", () => {
  test.each<[string, Record<string, string>]>([
    ["nobody", {}],
    ["who only says who it is", { "order-principal": "acme" }],
    ["a wrong key", bearer(newApiKey("bank").key)],
    ["a key's digest", bearer(keys.bank.line.slice(0, 64))],
    ["two keys", bearer(`${keys.bank.key}, Bearer ${keys.till.key}`)],
    ["a key under another scheme", { authorization: `Basic ${keys.bank.key}` }],
    ["a principal that is no name", bearer(keys.odd.key)],
    ["a token that is over", bearer(current.token("acme", { exp: nowS() - 1 }))],
    ["a token that does not end", bearer(current.token("acme", { exp: undefined }))],
    ["a token that does not hold yet", bearer(current.token("acme", { nbf: nowS() + 3_600 }))],
    ["a token that is over since before all time", bearer(current.token("acme", { exp: -1 }))],
    ["a token whose end is a text", bearer(current.token("acme", { exp: "9999999999" }))],
    ["a token that does not hold for long yet", bearer(current.token("acme", { nbf: 1e16 }))],
    ["a token whose beginning is a list", bearer(current.token("acme", { nbf: [nowS() + 3_600] }))],
    ["a token of a number", bearer(current.token("acme", { sub: 12345678 }))],
    ["a token of two lines", bearer(current.token("acme\n"))],
    ["a token that says more than is understood", bearer(current.token("acme", {}, { crit: ["exp"] }))],
    ["a token that says another algorithm", bearer(current.token("acme", {}, { alg: "none" }))],
    ["another issuer's key", bearer(foreign.token("acme"))],
    ["another issuer's name", bearer(current.token("acme", { iss: "https://issuer.example" }))],
    ["another audience", bearer(current.token("acme", { aud: `${audience}2` }))],
    ["other audiences", bearer(current.token("acme", { aud: ["a", `"${audience}"`] }))],
    [
      "an audience that ours is the beginning of, and a NUL",
      bearer(current.token("acme", { aud: `${audience}\0` })),
    ],
    ["several such audiences", bearer(current.token("acme", { aud: ["a", `${audience}\0b`] }))],
    ["an issuer's name with a NUL", bearer(current.token("acme", { iss: `${issuer}\0b` }))],
    ...[[], [[]], { 0: audience }].map((aud): [string, Record<string, string>] => [
      `an audience of ${JSON.stringify(aud)}, and ours first in another list`,
      bearer(current.token("acme", { aud, ext: {}, scp: [audience] })),
    ]),
    ["no audience", bearer(current.token("acme", { aud: undefined }))],
    ["a token of nobody", bearer(current.token("acme", { sub: undefined }))],
    ["a token without a signature", bearer(unsigned())],
    ["a token whose signature is another's", bearer(tampered())],
    ["a token that takes the public key for a shared one", bearer(confused())],
    ["text", bearer("a.b.c")],
  ])("%s", (_, headers) => expectRefused(headers));

  test("a certificate with two names, or one of two lines", async () => {
    for (const cn of ["acme/CN=till", "acme\n"]) await expectRefused({}, ca.certificate(cn));
  });

  test("a look-up too, which has no fate", async () => {
    const refused = await ask({}, {}, `/orders/${id}`);
    expect(refused.status).toBe(401);
    expect(JSON.parse(refused.body)).not.toContainKey("fate");
  });

  test("a foreign certificate, one that is over, and whoever speaks less than TLS 1.2, by the handshake", async () => {
    const foreigner = credentials.newCa("foreign").certificate("acme");
    const before = producer.requests.length;
    for (const tls of [foreigner, ca.certificate("late", { days: 0 })])
      await expect(ask(bearer(keys.bank.key), tls)).rejects.toThrow();
    expect(handshake("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")).not.toBe(0);
    expect(handshake("-tls1_2")).toBe(0);
    const plain = await connectHttp(balancer.port);
    await expect(
      plain.request("POST", "/orders", { ...jsonBody, ...bearer(keys.bank.key) }, body),
    ).rejects.toThrow("closed after");
    expect(producer.requests.length).toBe(before);
  });
});

function unsigned(): string {
  const claims = { iss: issuer, aud: audience, exp: nowS() + 300, sub: "acme" };
  return `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(claims))}.`;
}

function confused(): string {
  const [, claims] = current.token("acme").split(".");
  const text = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${claims}`;
  return `${text}.${createHmac("sha256", current.pem).update(text).digest("base64url")}`;
}

function tampered(): string {
  const [head, , signature] = current.token("acme").split(".");
  const [, claims] = current.token("till").split(".");
  return [head, claims, signature].join(".");
}

function handshake(...words: string[]): number | null {
  const argv = ["openssl", "s_client", "-connect", `127.0.0.1:${balancer.port}`, ...words];
  return Bun.spawnSync(argv, { stdin: new Uint8Array(), stdout: "ignore", stderr: "ignore" }).exitCode;
}

test("where it runs open nobody is a principal, whatever a client says", async () => {
  await using open = await startBalancer({ producers: [producer.port] });
  expect(open.log()).toContain("OPEN: no credential is configured");
  const connection = await connectHttp(open.port);
  const spoofed = { ...jsonBody, "order-principal": "till", "order-customers": "*" };
  expect((await connection.request("POST", "/orders", spoofed, body)).status).toBe(202);
  connection.close();
  const request = producer.requests.at(-1) as string;
  expect(["order-principal", "order-customers"].map((name) => headerOf(request, name))).toEqual([
    undefined,
    undefined,
  ]);
});

test("words of HAProxy's own after the address are not dropped: TLS that is asked for is there", async () => {
  const port = fixedPort();
  await using other = await startBalancer({
    producers: [producer.port],
    env: { LB_OPEN: "1", LB_BIND: `127.0.0.1:${port} ssl crt ${edge.path}` },
  });
  const headers = { ...jsonBody, connection: "close" };
  const init = { method: "POST", headers, body, tls: { ca: ca.pem } } as RequestInit;
  expect((await fetch(`https://127.0.0.1:${port}/orders`, init)).status).toBe(202);
  const plain = await connectHttp(port);
  await expect(plain.request("POST", "/orders", jsonBody, body)).rejects.toThrow("closed after");
  expect(other.log()).not.toContain("ALERT");
});

test("whoever came by TLS is told to keep to it", async () => {
  expect((await ask(bearer(keys.bank.key))).headers.get("strict-transport-security")).toBe(
    "max-age=31536000",
  );
});

test("a token of ES256 is taken where that is the one algorithm, and no other then", async () => {
  const elliptic = newIssuer("ec");
  await using other = await startBalancer({
    producers: [producer.port],
    env: {
      ...{ LB_JWT_ALG: "ES256", LB_JWT_KEY: credentials.write("ec.pem", elliptic.pem) },
      ...{ LB_JWT_ISSUER: issuer, LB_JWT_AUDIENCE: audience },
    },
  });
  const statusOf = async (token: string) => {
    const connection = await connectHttp(other.port);
    const { status } = await connection.request("POST", "/orders", { ...jsonBody, ...bearer(token) }, body);
    connection.close();
    return status;
  };
  expect(await statusOf(elliptic.token("acme"))).toBe(202);
  expect(await statusOf(current.token("acme"))).toBe(401);
});

test("what is wrong with one's signature ends nobody else's connection", async () => {
  const [first, second] = [newIssuer("ec"), newIssuer("ec")];
  const told = { LB_JWT_ALG: "ES256", LB_JWT_ISSUER: issuer, LB_JWT_AUDIENCE: audience };
  await using other = await startBalancer({
    producers: [producer.port],
    env: {
      ...{ LB_CERT: env.LB_CERT, LB_API_KEYS: env.LB_API_KEYS, ...told },
      LB_JWT_KEY: credentials.write("first.pem", first.pem),
      LB_JWT_NEXT_KEY: credentials.write("second.pem", second.pem),
    },
  });
  const post = async (token: string) =>
    (
      await fetch(`https://127.0.0.1:${other.port}/orders`, {
        ...{ method: "POST", body, headers: { ...jsonBody, ...bearer(token) }, tls: { ca: ca.pem } },
      })
    ).status;
  const [head, claims] = first.token("acme").split(".");
  const [zero, all, one] = [0, 255, 1].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer];
  const signatures = [
    ...[zero, all, one].flatMap((r) => [zero, all, one].map((s) => Buffer.concat([r, s]))),
    ...[Buffer.alloc(0), Buffer.alloc(63, 1), Buffer.alloc(65, 1), Buffer.alloc(500, 255)],
  ];
  const wrong = signatures.map((signature) => `${head}.${claims}.${signature.toString("base64url")}`);
  let sending = true;
  const seen = new Set<number>();
  const others = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (sending) seen.add(await post(keys.bank.key));
    }),
  );
  for (let round = 0; round < 10; round += 1)
    for (const token of [...wrong, foreign.token("acme")]) expect(await post(token)).toBe(401);
  for (let tries = 0; tries < 50; tries += 1) expect(await post(second.token("acme"))).toBe(202);
  sending = false;
  await others;
  expect(seen).toEqual(new Set([202]));
});

test("where every wrong signature does, it is said at the start", async () => {
  const { stdout } = await capture([haproxy(), "-v"], { limitMs: 60_000 });
  const isMended = Bun.semver.order(/version ([\d.]+)/.exec(stdout)?.[1] ?? "", "2.6.19") >= 0;
  expect(balancer.log().includes("use ES256, or HAProxy 2.6.19 and above")).toBe(!isMended);
});

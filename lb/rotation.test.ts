// Certificates and credentials change without a stop, by the steps of docs/operations.md: what is new is taken before what is
// old is not, and no request fails meanwhile, on kept connections or on new ones.
import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { capture } from "../kit/capture.ts";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, startBalancer } from "../testing/balancer.ts";
import { audience, issuer, newApiKey, newCredentials, newIssuer } from "../testing/credentials.ts";
import { connectHttp, type HttpConnection } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { startStandIn } from "./testing/stand-in.ts";

const answer = "HTTP/1.1 202 Accepted\r\nOrder-Fate: accepted\r\nContent-Length: 2\r\n\r\n{}";
const body = JSON.stringify(sampleOrder());
const credentials = newCredentials();
const { write } = credentials;
afterAll(() => credentials[Symbol.dispose]());

const accepted = (balancer: Balancer): number =>
  balancer.accessLog().filter((line) => line.includes('"status":202')).length;

/**
 * Has it read its files again, and waits until so many requests more have come through. Just after it has loaded a signal is
 * lost now and then; and what it was before takes connections until it has stopped.
 */
async function reload(balancer: Balancer, ending = /Proxy orders stopped/g) {
  const said = (what: RegExp) => balancer.log().match(what)?.length ?? 0;
  const [loads, ends] = [said(/Reloading HAProxy/g), said(ending)];
  await until("it has taken the signal", async () => {
    balancer.signal("SIGUSR2");
    await Bun.sleep(500);
    return said(/Reloading HAProxy/g) > loads;
  });
  await until("it has loaded", () => said(ending) > ends);
  const before = accepted(balancer);
  await until("they go on", () => accepted(balancer) > before + 50);
}

test("API keys, and the key of the tokens' issuer; and a key that is not there leaves all as it was", async () => {
  const [oldIssuer, nextIssuer] = [newIssuer(), newIssuer()];
  const [oldKey, nextKey, dueKey] = [newApiKey("acme"), newApiKey("acme"), newApiKey("bank")];
  const tokens = [oldIssuer.token("acme"), nextIssuer.token("acme")] as const;
  const issuerFile = write("issuer", oldIssuer.pem);
  using producer = startStandIn({ answer });
  await using balancer = await startBalancer({
    producers: [producer.port],
    env: {
      LB_API_KEYS: write("keys", oldKey.line + dueKey.line),
      LB_JWT_KEY: issuerFile,
      LB_JWT_NEXT_KEY: write("next-issuer", oldIssuer.pem),
      ...{ LB_JWT_ISSUER: issuer, LB_JWT_AUDIENCE: audience },
    },
  });
  const post = (token: string, connection: HttpConnection) =>
    connection.request("POST", "/orders", { ...jsonBody, authorization: `Bearer ${token}` }, body);
  async function anew(token: string) {
    const connection = await connectHttp(balancer.port);
    const { status } = await post(token, connection);
    connection.close();
    return status;
  }
  const oldAndNew = () => Promise.all([oldKey.key, tokens[0], nextKey.key, tokens[1]].map(anew));
  expect(await oldAndNew()).toEqual([202, 202, 401, 401]);

  // Who sends goes on all the while, over connections that are kept and over new ones.
  let sending = true;
  let [key, token] = [oldKey.key, tokens[0] as string];
  const told: number[] = [];
  async function kept(credential: () => string) {
    let connection = await connectHttp(balancer.port);
    while (sending) {
      const { status, headers } = await post(credential(), connection);
      told.push(status);
      if (headers.get("connection") === "close") connection = await connectHttp(balancer.port);
    }
    connection.close();
  }
  async function fresh(credential: () => string) {
    while (sending) told.push(await anew(credential()));
  }
  const senders = Promise.all([kept, fresh].flatMap((send) => [send(() => key), send(() => token)]));

  write("keys", oldKey.line + nextKey.line);
  write("next-issuer", nextIssuer.pem);
  await reload(balancer);
  expect(await oldAndNew()).toEqual([202, 202, 202, 202]);
  // Without an overlap: gone at once.
  expect(await anew(dueKey.key)).toBe(401);

  [key, token] = [nextKey.key, tokens[1]];
  write("keys", nextKey.line);
  write("issuer", nextIssuer.pem);
  await reload(balancer);
  expect(await oldAndNew()).toEqual([401, 401, 202, 202]);

  rmSync(issuerFile);
  await reload(balancer, /error opening file/g);
  expect(await oldAndNew()).toEqual([401, 401, 202, 202]);

  sending = false;
  await senders;
  expect(new Set(told)).toEqual(new Set([202]));
}, 120_000);

test("the edge's certificate; and a file that can't be read leaves all as it was", async () => {
  const ca = credentials.newCa("ca");
  const [first, next] = [ca.certificate("first"), ca.certificate("next")];
  using producer = startStandIn({ answer });
  await using balancer = await startBalancer({
    producers: [producer.port],
    env: { LB_CERT: write("edge", first.cert + first.key) },
  });
  const shown = async () => {
    const argv = ["openssl", "s_client", "-connect", `127.0.0.1:${balancer.port}`];
    return /subject=CN *= *(\w+)/.exec((await capture(argv, { limitMs: 60_000 })).stdout)?.[1];
  };
  expect(await shown()).toBe("first");
  const script = write(
    "orders.lua",
    `wrk.method = "POST" wrk.headers["content-type"] = "application/json" wrk.body = '${body}'`,
  );
  const senders = [[], ["-H", "connection: close"]].map((headers) => {
    const argv = ["wrk", "-t1", "-c4", "-d10m", "-s", script, ...headers];
    return Bun.spawn([...argv, `https://127.0.0.1:${balancer.port}/orders`], { timeout: 120_000 });
  });
  /** Ends one. @returns what failed of its requests */
  const failed = async (sender: (typeof senders)[number]) => {
    sender.kill("SIGINT");
    const said = await sender.stdout.text();
    expect([await sender.exited, said]).toEqual([0, expect.stringMatching(/[1-9]\d* requests in/)]);
    return /Non-2xx.*|Socket errors.*/.exec(said)?.[0];
  };
  await until("they send", () => accepted(balancer) > 50);

  write("edge", next.cert + next.key);
  await reload(balancer);
  expect(await shown()).toBe("next");
  write("edge", "half a certifica");
  await reload(balancer, /unable to load certificate/g);
  expect(await shown()).toBe("next");
  expect(await Promise.all(senders.map(failed))).toEqual([undefined, undefined]);
}, 120_000);

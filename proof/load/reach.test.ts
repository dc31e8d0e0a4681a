// Before a load anything is brought or sent, it is found out whom it would go to: by the shipped configuration of HAProxy,
// once as the usual topology has it, once as the secured one.
import { afterAll, expect, test } from "bun:test";
import { fixedPort, startBalancer } from "../../testing/balancer.ts";
import { newApiKey, newCredentials } from "../../testing/credentials.ts";
import { whyNotAt } from "./reach.ts";

const credentials = newCredentials();
afterAll(() => credentials[Symbol.dispose]());
const ca = credentials.newCa("ca");
const key = newApiKey("load-1");
const secured = {
  LB_CERT: ca.certificate("edge").path,
  LB_API_KEYS: credentials.write("keys", key.line),
  LB_POLICY: credentials.write("policy", "load-1 *\n"),
};
const access = { keys: [{ principal: "load-1", token: key.key }], caPath: ca.path, ca: ca.pem };

const balancer = (env = {}) => startBalancer({ producers: [fixedPort()], env });

test("who is meant and there may have its load, whatever its producers are at", async () => {
  await using open = await balancer();
  await using closed = await balancer(secured);
  expect(await whyNotAt({ url: `http://127.0.0.1:${open.port}`, access: undefined })).toBeUndefined();
  expect(await whyNotAt({ url: `https://127.0.0.1:${closed.port}`, access })).toBeUndefined();
});

test("a secured topology is told from a usual one, with the command that is right", async () => {
  await using open = await balancer();
  await using closed = await balancer(secured);
  expect(await whyNotAt({ url: `http://127.0.0.1:${closed.port}`, access: undefined })).toBe(
    `http://127.0.0.1:${closed.port} speaks TLS: the topology there is secured. SECURE=1 bun run load`,
  );
  expect(await whyNotAt({ url: `https://127.0.0.1:${open.port}`, access })).toBe(
    `https://127.0.0.1:${open.port} speaks no TLS: the topology there is not secured. bun run load without SECURE=1, or make up SECURE=1`,
  );
});

test("a certificate that is not trusted is named as what it is", async () => {
  await using closed = await balancer(secured);
  const other = { ...access, ca: credentials.newCa("other").pem };
  expect(await whyNotAt({ url: `https://127.0.0.1:${closed.port}`, access: other })).toMatch(
    /: its certificate is not trusted \([A-Z_]+\): make up SECURE=1/,
  );
});

test("where nobody is, it is said how somebody comes to be there", async () => {
  const port = fixedPort();
  expect(await whyNotAt({ url: `http://127.0.0.1:${port}`, access: undefined })).toContain(
    ": make up; or --url",
  );
  expect(await whyNotAt({ url: `https://127.0.0.1:${port}`, access })).toContain(
    ": make up SECURE=1; or --url",
  );
});

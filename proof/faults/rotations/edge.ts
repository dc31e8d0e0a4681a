// What clients meet at the edge changes while they order, by the steps of docs/operations.md: what is new is there before what
// is old goes. Each reload is waited for until the worker before it has ended: until then kept connections may still be its.
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { connect } from "node:tls";
import type { EdgeAccess } from "../../../infra/secure/access.ts";
import { newIssuerKey, publicOf, tokenOf } from "../../../infra/secure/issuer.ts";
import { secretPath, tokenPrincipal } from "../../../infra/secure/names.ts";
import { apiKeyLine, newPassword } from "../../../infra/secure/secrets.ts";
import type { Container } from "../../../infra/topology.ts";
import { comesTrue } from "../../../kit/until.ts";
import { UserError } from "../../../kit/user-error.ts";
import { keysEveryMs } from "../../client/policy.ts";
import type { System } from "../../system/system.ts";
import type { Fault, FaultOptions } from "../fault.ts";
import { reload } from "../reload.ts";
import { readSecret, writeSecret } from "./secret-file.ts";

const answerLimitMs = 5_000;
/** Until a signal is known to be lost, which happens just after another. */
const takenLimitMs = 5_000;
const signals = 3;
/** Above hard-stop-after (lb/haproxy.cfg). */
const endedLimitMs = 60_000;
/** Clients look for their key so often, for as long at most, and send what they have begun. */
const movedMs = 3 * keysEveryMs;

export const rotateEdgeCertificate: Fault = {
  what: "gives the balancer another certificate, and its own again (SECURE=1)",
  inject: async (system, targets, options) => {
    const { access, balancer } = edgeOf(system, targets);
    const [edge, spare] = ["edge.pem", "edge-next.pem"];
    if (!existsSync(secretPath(spare)))
      throw new UserError(`Its second certificate is missing: ${secretPath(spare)}`);
    for (const _ of ["another", "its own again"]) {
      const [shown, next] = [readSecret(edge), readSecret(spare)];
      writeSecret(spare, shown);
      writeSecret(edge, next);
      await reloadWhole(system, balancer, options);
      if ((await fingerprintAt(system, access)) !== new X509Certificate(next).fingerprint256)
        throw new UserError("The balancer does not show the certificate that it was given.");
    }
    return "both certificates were shown, one after the other";
  },
  heal: async () => {},
};

export const rotateApiKeys: Fault = {
  what: "gives those who order other API keys, and has the balancer forget theirs (SECURE=1)",
  inject: async (system, targets, options) => {
    const { access, balancer } = edgeOf(system, targets);
    const changes = access.keys
      .filter(({ principal }) => principal !== tokenPrincipal)
      .map(({ principal, token }) => ({ principal, old: token, next: newPassword() }));
    const line = (key: "old" | "next", one: (typeof changes)[number]) => apiKeyLine(one[key], one.principal);
    const statuses = (key: "old" | "next") =>
      Promise.all(changes.map((one) => statusOf(system, access, one[key])));
    const put = async (lines: (one: (typeof changes)[number]) => string) => {
      writeSecret(
        "api-keys",
        changes.reduce((text, one) => text.replace(line("old", one), lines(one)), readSecret("api-keys")),
      );
      await reloadWhole(system, balancer, options);
    };
    await put((one) => line("old", one) + line("next", one));
    for (const { principal, next } of changes) writeSecret(`api-key-${principal}`, next);
    await clientsMove(options);
    const both = [...(await statuses("old")), ...(await statuses("next"))];
    await put(() => "");
    const [old, next] = [await statuses("old"), await statuses("next")];
    if (both.includes(401) || next.includes(401) || old.some((status) => status !== 401))
      throw new UserError(
        `Answered with both keys ${both}, then with old ones ${old}, with new ones ${next}.`,
      );
    return `the ${old.length} old keys are answered 401`;
  },
  heal: async () => {},
};

export const rotateIssuer: Fault = {
  what: "gives the issuer of tokens another key, and has the balancer forget its former one (SECURE=1)",
  inject: async (system, targets, options) => {
    const { access, balancer } = edgeOf(system, targets);
    const [old, next] = [readSecret("issuer-key"), newIssuerKey()];
    const statuses = () =>
      Promise.all([old, next].map((key) => statusOf(system, access, tokenOf(key, tokenPrincipal))));
    const put = async (file: string) => {
      writeSecret(file, publicOf(next));
      await reloadWhole(system, balancer, options);
    };
    await put("issuer-next.pem");
    writeSecret("issuer-key", next);
    await clientsMove(options);
    const both = await statuses();
    await put("issuer.pem");
    const [ofOld, ofNext] = await statuses();
    if (both.includes(401) || ofOld !== 401 || ofNext === 401)
      throw new UserError(`Answered with both keys' tokens ${both}, then ${ofOld} and ${ofNext}.`);
    return "a token of the former key is answered 401";
  },
  heal: async () => {},
};

/** By then clients that order show what is new. */
async function clientsMove({ stop }: FaultOptions): Promise<void> {
  await comesTrue(() => stop?.aborted === true, movedMs);
  stop?.throwIfAborted();
}

/** @throws UserError where nobody has a key, or it is not the balancer that is to change */
function edgeOf({ access }: System, targets: Container[]) {
  const [balancer, ...others] = targets;
  if (!access) throw new UserError("Nobody has a key here: SECURE=1.");
  if (balancer?.service !== "haproxy" || others.length > 0)
    throw new UserError("Only the balancer has an edge.");
  return { access, balancer };
}

/** Resolves when all that listens has read its files anew. */
async function reloadWhole(system: System, balancer: Container, options: FaultOptions): Promise<void> {
  // Of HAProxy's master, which is the first process there.
  const workers = async () =>
    (await system.topology.exec(balancer, ["cat", "/proc/1/task/1/children"])).trim().split(" ");
  const old = new Set(await workers());
  const isTaken = async () => (await workers()).some((worker) => !old.has(worker));
  for (let signal = 1; ; signal += 1) {
    await reload.inject(system, [balancer], options);
    if (await comesTrue(isTaken, takenLimitMs, 250)) break;
    if (signal === signals) throw new UserError(`${balancer.name} does not read its files again.`);
  }
  const isOver = async () => {
    options.stop?.throwIfAborted();
    return !(await workers()).some((worker) => old.has(worker));
  };
  if (!(await comesTrue(isOver, endedLimitMs, 500)))
    throw new UserError(
      `A worker of ${balancer.name} did not end ${endedLimitMs / 1_000} s after its reload.`,
    );
}

/** As which certificate the edge is known, to whom trusts its CA. */
function fingerprintAt({ ports }: System, { ca }: EdgeAccess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port: ports.LB_PORT as number, ca, timeout: answerLimitMs });
  socket.on("secureConnect", () => resolve(socket.getPeerCertificate().fingerprint256));
  socket.on("error", reject).on("timeout", () => reject(new Error("the balancer shows no certificate")));
  return promise.finally(() => socket.destroy());
}

/** What who shows that key is told of an order that nobody placed. */
async function statusOf({ url }: System, { ca }: EdgeAccess, key: string): Promise<number> {
  const { status } = await fetch(`${url}/orders/${crypto.randomUUID()}`, {
    ...{ headers: { authorization: `Bearer ${key}` }, tls: { ca }, keepalive: false },
    signal: AbortSignal.timeout(answerLimitMs),
  });
  return status;
}

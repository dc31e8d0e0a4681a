// The secured topology's balancer, on the secrets that are made for it: each principal is let in by its own.
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStandIn } from "../../lb/testing/stand-in.ts";
import { sampleOrder } from "../../src/sample.ts";
import { startBalancer } from "../../testing/balancer.ts";
import { jsonBody } from "../../testing/load.ts";
import { tokenOf } from "./issuer.ts";
import { keyPrincipals, tokenPrincipal } from "./names.ts";
import { ensureSecrets } from "./secrets.ts";

/** As infra/secure/compose.yaml has them. */
function environment(folder: string): Record<string, string> {
  const text = readFileSync(join(import.meta.dir, "compose.yaml"), "utf8");
  const named = [...text.matchAll(/^ {6}(LB_(?!OPEN)\w+): (.*)$/gm)] as unknown as [string, string, string][];
  return Object.fromEntries(
    named.map(([, name, value]) => [
      name,
      value.replace("/run/secrets", folder).replace("/usr/local/etc/haproxy", import.meta.dir),
    ]),
  );
}

test("whoever has a key of its own, and who has a token, is let in as that; nobody else is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-edge-"));
  try {
    await ensureSecrets(folder);
    const read = (name: string) => readFileSync(join(folder, name), "utf8").trimEnd();
    const answer = "HTTP/1.1 202 Accepted\r\nOrder-Fate: accepted\r\nContent-Length: 2\r\n\r\n{}";
    using producer = startStandIn({ answer });
    await using balancer = await startBalancer({ producers: [producer.port], env: environment(folder) });
    const post = async (shown: string) =>
      (
        await fetch(`https://127.0.0.1:${balancer.port}/orders`, {
          ...{ method: "POST", body: JSON.stringify(sampleOrder()), tls: { ca: read("ca.crt") } },
          headers: { ...jsonBody, authorization: `Bearer ${shown}` },
        })
      ).status;
    const shown = {
      ...Object.fromEntries(keyPrincipals.map((name) => [name, read(`api-key-${name}`)])),
      [tokenPrincipal]: tokenOf(read("issuer-key"), tokenPrincipal),
    };
    for (const [name, one] of Object.entries(shown)) {
      expect(await post(one)).toBe(202);
      expect(producer.requests.at(-1)?.toLowerCase()).toContain(`\r\norder-principal: ${name}\r\n`);
      expect(await post(`${one}x`)).toBe(401);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

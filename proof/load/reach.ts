/** Whether anybody is there to take a load, found out before anything is brought or sent for it. */
import type { LoadSettings } from "./arguments.ts";

const answerLimitMs = 5_000;

/** Why no load can be put on a balancer, with what to do about it; undefined: nothing speaks against it. */
export async function whyNotAt({ url, access }: Pick<LoadSettings, "url" | "access">) {
  const failure = await failureAt(url, access && { ca: access.ca });
  const made = access ? "make up SECURE=1" : "make up";
  if (/refused/i.test(failure ?? ""))
    return `Nobody takes connections at ${url}: ${made}; or --url names another balancer.`;
  if (failure === undefined || failure === "TimeoutError") return undefined;
  // Whose certificate it is does not matter here: nothing is told there.
  const speaks = async (protocol: string) =>
    (await failureAt(url.replace(/^https?/, protocol), { rejectUnauthorized: false })) === undefined;
  if (url.startsWith("http:"))
    return (await speaks("https"))
      ? `${url} speaks TLS: the topology there is secured. SECURE=1 bun run load`
      : undefined;
  if (await speaks("https"))
    return `${url}: its certificate is not trusted (${failure}): ${made} sees to both ends.`;
  return (await speaks("http"))
    ? `${url} speaks no TLS: the topology there is not secured. bun run load without SECURE=1, or ${made}`
    : undefined;
}

/** What keeps a request from its answer, by the name of the failure; undefined: there is one, whatever it says. */
async function failureAt(url: string, tls?: Bun.TLSOptions): Promise<string | undefined> {
  const options = { signal: AbortSignal.timeout(answerLimitMs), ...(tls && { tls }) };
  return fetch(url, options).then(
    () => undefined,
    ({ code, name }: Error & { code?: unknown }) => (typeof code === "string" ? code : name),
  );
}

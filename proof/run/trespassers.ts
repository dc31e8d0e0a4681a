// Where the edge asks who orders, somebody tries all the while what is another's: reads an order, sends one under another's
// customer and key, orders for a customer that is none of its own. Whether the owner is let in is asked beside it: what
// nobody can read says nothing.
import { edgeAccess, fetchOptions } from "../../infra/secure/access.ts";
import { comesTrue } from "../../kit/until.ts";
import { place, statusOf } from "../client/client.ts";
import { singleOf } from "../client/mix.ts";
import type { ClientAnswer, History } from "../history/history.ts";
import type { System } from "../system/system.ts";
import { reconcile } from "../verdict/reconcile.ts";
import type { Trespasses } from "../verdict/verdict.ts";

const usualEveryMs = 500;
const readLimitMs = 5_000;
/** An order is read so many turns after it was placed: it is handled by then, if it can be. */
const readAfter = 10;

export interface Trespassed {
  tried: Trespasses;
  /** Orders of owners, and of others under the same customers and keys: all of them are orders of the run. */
  answers: ClientAnswer[];
  /** Orders for customers that are none of the sender's. */
  forbidden: ClientAnswer[];
}

/** Starts at once. @param outsider may order for none of the customers that a load orders for */
export function startTrespassers(
  { url, access }: Pick<System, "url" | "access">,
  { outsider = access && edgeAccess(["shop"]), everyMs = usualEveryMs } = {},
) {
  const over = new AbortController();
  const run = crypto.randomUUID();
  const found: Trespassed = {
    tried: { reads: 0, readsLetIn: 0, ownReads: 0, writes: 0, writesLetIn: 0 },
    answers: [],
    forbidden: [],
  };
  const { tried, answers, forbidden } = found;
  const placed: { id: string; owner: number }[] = [];
  const keys = access?.keys ?? [];
  const as = (n: number) => access && { ...access, keys: keys.slice(n % keys.length).slice(0, 1) };

  /** @returns the status; undefined: there was no answer */
  async function read(id: string, who: number): Promise<number | undefined> {
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(readLimitMs)]);
    return statusOf(`${url}/orders/${id}`, { ...fetchOptions(as(who)), signal });
  }

  async function turn(n: number): Promise<void> {
    const order = singleOf(run, n);
    const mine = await place(url, order, over.signal, { access: as(n) });
    const theirs = await place(url, order, over.signal, { access: as(n + 1) });
    answers.push(...mine, ...theirs);
    tried.writes += 1;
    const [id, other] = [mine[0]?.id, theirs[0]?.id];
    if (other !== undefined && other === id) tried.writesLetIn += 1;
    placed[n] = { id: id ?? "", owner: n };

    const refused = await place(url, order, over.signal, { access: outsider });
    tried.writes += 1;
    if (refused[0]?.fate === "accepted") tried.writesLetIn += 1;
    else forbidden.push(...refused);

    const earlier = placed[n - readAfter];
    if (!earlier?.id) return;
    const [own, others] = [await read(earlier.id, earlier.owner), await read(earlier.id, earlier.owner + 1)];
    if (own === 200) tried.ownReads += 1;
    if (others === undefined) return;
    tried.reads += 1;
    if (others === 200) tried.readsLetIn += 1;
  }

  const done = (async () => {
    for (let n = 0; keys.length > 1 && !over.signal.aborted; n += 1) {
      await turn(n);
      await comesTrue(() => over.signal.aborted, everyMs, Math.min(everyMs, 100));
    }
  })();
  done.catch(() => undefined);
  return {
    tried: (): Readonly<Trespasses> => tried,
    /** Ends it at once: what is under way is unknown then. @throws whatever kept it from trying */
    async stop(): Promise<Trespassed> {
      over.abort();
      await done;
      return found;
    },
  };
}

/** What was tried, with what was not accepted and is there all the same; undefined where nobody is asked who orders. */
export function judgedTrespasses(
  history: History,
  { tried, forbidden }: Pick<Trespassed, "tried" | "forbidden">,
): Trespasses | undefined {
  if (tried.writes === 0) return undefined;
  // Whatever they were told: a balancer that died says unknown, and lets nobody in for that.
  const client = forbidden.map((answer) => ({ ...answer, fate: "refused" as const }));
  const there = reconcile({ ...history, client }).phantoms.length;
  return { ...tried, writesLetIn: tried.writesLetIn + there };
}

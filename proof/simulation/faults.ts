/** What goes wrong in a world, and when: a few kinds of faults of those that there are. */
import { topicOf } from "../../src/handling/offsets.ts";
import { outside, type Process } from "./clock.ts";
import type { World } from "./world.ts";

/** Each happens several times in a world that has it. `lastsMs`: something is put right again. */
const kinds: Record<string, (world: World) => void> = {
  crash({ random, processes, crash, start, time }) {
    const process = someone(processes, random);
    if (!process) return;
    crash(process);
    later(time, random.int(0, 8_000), start);
  },
  "clean restart"({ random, processes, start, leave, time }) {
    const process = someone(processes, random);
    if (!process) return;
    leave(process);
    later(time, random.int(0, 4_000), start);
  },
  "one more"({ habits, processes, start }) {
    if (processes.size < Math.max(3, habits.members)) start();
  },
  "session lost"({ random, processes, kafka }) {
    const process = someone(processes, random);
    if (process) kafka.loseSession(process);
  },
  frozen({ random, habits, processes, kafka, time, say }) {
    const process = someone(processes, random);
    if (!process) return;
    const ms = random.int(50, habits.frozenMs);
    say(`${process.name} is frozen for ${ms} ms`);
    process.frozenUntilMs = Math.max(process.frozenUntilMs, time.nowMs() + ms);
    if (ms > habits.sessionMs) later(time, habits.sessionMs, () => kafka.loseSession(process));
  },
  "log cut"({ random, kafka, place, say }) {
    const log = random.pick(kafka.logs());
    if (kafka.isAway()) return;
    const to = random.int(log.start(), log.end());
    say(`a log of ${log.end()} is cut to ${to}`);
    log.cut(to);
    place(random.int(0, 12));
  },
  "log lost in its epoch"(world) {
    const { random, habits, kafka, orders, append, time, say } = world;
    const log = random.pick(kafka.logs());
    // Only timestamps tell of it, and of a log without an id: not of both.
    if (habits.dates !== "usual" || log.isReplacement) return kinds["log cut"]?.(world);
    if (kafka.isAway() || log.isDown() || log.hasGaps()) return;
    // And all that took the places of others: nobody could tell where the newest of those is lost, and another one is not.
    const to = random.int(log.start(), Math.max(log.start(), log.intactTo()));
    say(`all brokers lose what log ${log.partition} of ${log.end()} has from ${to} on, and are away`);
    // What a consumer certainly had from there: the group may still be at a place in a former topic.
    const at = kafka.committed.get(log.partition);
    const had = at && (topicOf(at) ?? "-") === kafka.topicId() ? Math.min(at.offset, log.end()) : 0;
    const lost = Math.max(0, had - to);
    const isBack = log.lose(to);
    function regrow(): void {
      if (kafka.isAway() || log.isDown() || !kafka.logs().includes(log)) return;
      // What producers had under way comes first. One is newer than what was lost, in place of it, or nobody could tell.
      const late = random.int(0, Math.max(0, lost - 1));
      const all = late + random.int(Math.min(late, 1), lost + 1);
      for (let n = 0; n < all; n += 1) {
        const order = orders.next();
        append(order, Buffer.from(JSON.stringify(order)), log, n < late ? 60_000 : 0);
      }
    }
    later(time, random.int(300, 12_000), () => {
      isBack();
      later(time, random.pick([0, random.int(0, 1_000)]), regrow);
      // Who takes over has to notice what the one before it had no time for.
      if (random.chance(0.3)) later(time, random.int(0, 3_000), () => kinds.crash?.(world));
    });
  },
  "log cut twice"(world) {
    kinds["log cut"]?.(world);
    later(world.time, world.random.int(0, 600), () => kinds["log cut"]?.(world));
  },
  "brokers away"({ random, kafka, time, say }) {
    const log = random.pick(kafka.logs());
    if (kafka.isAway() || log.isDown()) return;
    say(`the brokers of ${log.partition} are away`);
    later(time, random.int(100, 12_000), log.away());
  },
  "hand-overs"({ random, kafka, time }) {
    for (let times = random.int(1, 5); times > 0; times -= 1)
      later(time, random.int(0, random.pick([500, 5_000])), kafka.move);
  },
  "another leader"({ random, kafka }) {
    const log = random.pick(kafka.logs());
    log.cut(log.end());
  },
  "topic made anew"({ random, habits, kafka, place, say }) {
    // Without an id it is told by what is newer than all that was seen of the one before, from its beginning on.
    if (!habits.tellsIds && kafka.logs().some((log) => log.start() > 0)) return;
    say("the topic is deleted");
    const afterMs = random.pick(habits.tellsIds ? [0, 300, 25_000] : [1_500, 25_000]);
    kafka.recreate(afterMs, () => place(random.int(0, 25)));
  },
  retention({ random, kafka, say }) {
    const log = random.pick(kafka.logs());
    const to = random.int(log.start(), log.end());
    say(`retention takes what lies before ${to}`);
    log.retain(to);
  },
  "read again": (world) => during(world, 3_000, world.kafka.troubles, "repeats", 0.1),
  "commits fail": (world) => during(world, 8_000, world.kafka.troubles, "commits", 0.8),
  "commits are late": (world) => during(world, 15_000, world.kafka.troubles, "late", 0.5),
  "look-ups fail": (world) => during(world, 8_000, world.kafka.troubles, "lookUps", 0.8),
  "ledger down": (world) => during(world, 8_000, world.ledger.troubles, "down", true),
  "ledger slow": (world) => during(world, 8_000, world.ledger.troubles, "slow", 0.5),
  "commit of the ledger breaks": (world) => during(world, 8_000, world.ledger.troubles, "broken", 0.5),
  "letters away": (world) => during(world, 20_000, world.letters.troubles, "away", true),
  "letters slow": (world) => during(world, 20_000, world.letters.troubles, "slow", 0.5),
  "dependency down": (world) => during(world, 60_000, world.orders.state, "outage", { declared: true }),
  "all fail": (world) =>
    during(world, world.processes.size === 1 ? 600_000 : 60_000, world.orders.state, "outage", {
      declared: false,
    }),
  redrive: (world) => world.redrive(),
  "letters refused": (world) => during(world, 20_000, world.letters.troubles, "refused", true),
  "ledger silent": (world) => during(world, 8_000, world.ledger.troubles, "silent", true),
};

type Random = World["random"];
const someone = (processes: ReadonlyMap<Process, unknown>, random: Random): Process | undefined =>
  processes.size === 0 ? undefined : random.pick([...processes.keys()]);

const later = (time: World["time"], ms: number, action: () => void): void =>
  void time.clockOf(outside).timer(ms, action);

/** Sets one thing wrong, for at most so long. */
function during<Troubles, Name extends keyof Troubles>(
  { random, time, say }: World,
  mostMs: number,
  troubles: Troubles,
  name: Name,
  value: Troubles[Name],
): void {
  if (troubles[name]) return;
  const right = troubles[name];
  say(`${String(name)}: ${JSON.stringify(value)}`);
  troubles[name] = value;
  later(time, random.int(50, mostMs), () => {
    troubles[name] = right;
    say(`${String(name)} is over`);
  });
}

/** Plans the faults of a world and its orders' arrival. */
export function faultsOf(world: World) {
  const { random, habits, time, place, start, processes, kafka, ledger, letters, orders } = world;
  const names = Object.keys(kinds);
  const chosen = Array.from({ length: habits.kindsOfFaults }, () => random.pick(names));
  // Long enough for an order to use up its attempts, were they counted; and where one consumer sees all customers fail, and
  // so can tell, its time as well.
  const [leastMs, mostMs] = !chosen.includes("all fail")
    ? ([2_000, 25_000] as const)
    : processes.size === 1
      ? ([200_000, 600_000] as const)
      : ([40_000, 90_000] as const);
  const lastMs = random.int(leastMs, mostMs);
  // Where they come in quick succession, what the one begins is not over when the next comes.
  const burstMs = Math.min(habits.burstMs ?? lastMs, lastMs);
  const fromMs = random.int(0, lastMs - burstMs);
  world.say(
    `${world.kind}, ${kafka.logs().length} partitions, ${processes.size} members; ${chosen.join(", ")}`,
  );
  for (const name of chosen)
    for (let times = random.int(1, habits.timesOfEach); times > 0; times -= 1)
      later(time, fromMs + random.int(0, burstMs), () => kinds[name]?.(world));
  for (let times = random.int(0, 8); times > 0; times -= 1)
    later(time, random.int(0, lastMs), () => {
      if (!kafka.isAway()) place(random.int(1, 8));
    });
  return {
    healedAtMs: lastMs,
    undeclaredOutage: chosen.includes("all fail"),
    /** From here on everything does what it should. */
    heal(): void {
      Object.assign(kafka.troubles, { commits: 0, late: 0, lookUps: 0, repeats: 0 });
      Object.assign(ledger.troubles, { down: false, broken: 0, slow: 0, silent: false });
      Object.assign(letters.troubles, { away: false, slow: 0, refused: false });
      orders.state.outage = undefined;
      if (processes.size === 0) start();
    },
  };
}

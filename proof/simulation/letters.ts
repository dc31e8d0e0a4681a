/** A model of the dead-letter topic: slow at times, away at times, and a letter that is acknowledged stays. */
import type { DeadLetters } from "../../src/handling/dead-letters.ts";
import { type Clocked, heard, type Random, type Time } from "./clock.ts";
import type { Stored } from "./log.ts";

export type Letters = ReturnType<typeof createLetters>;

export function createLetters(options: { random: Random; time: Time; say: (what: string) => void }) {
  const { random, time, say } = options;
  const world = time.clockOf({ name: "letters", alive: true, frozenUntilMs: 0 });
  const troubles = { away: false, slow: 0 };
  const buried = new Map<string, Stored>();
  const known = new Map<string, Stored>();

  async function send(key: string, reason: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      await world.sleep(random.chance(troubles.slow) ? random.int(100, 12_000) : random.int(1, 10));
      if (!troubles.away) break;
      signal.throwIfAborted();
      await world.sleep(1_000);
    }
    say(`dead letter ${key}: ${reason}`);
    buried.set(key, known.get(key) as Stored);
  }

  return {
    troubles,
    /** A record that may become one. */
    expect: (record: Stored): void => void known.set(String(record.key), record),
    has: (key: Buffer): boolean => buried.has(String(key)),
    all: () => buried.values(),
    of: (clock: Clocked): DeadLetters => ({
      bury: (record, { reason }, signal) => heard(clock, send(String(record.key), reason, signal)),
      unready: () => undefined,
      close: () => Promise.resolve(),
    }),
  };
}

/** A model of the dead-letter topic: slow at times, away at times, and a letter that is acknowledged stays. */
import type { DeadLetters } from "../../src/handling/dead-letters.ts";
import { type Clocked, heard, type Random, type Time } from "./clock.ts";
import type { Habits } from "./habits.ts";
import type { Stored } from "./kafka/log.ts";

type Cause = { reason: string; attempts: number };
export type Letters = ReturnType<typeof createLetters>;

export function createLetters(options: {
  random: Random;
  time: Time;
  habits: Habits;
  say: (what: string) => void;
}) {
  const { random, time, habits, say } = options;
  const world = time.clockOf({ name: "letters", alive: true, frozenUntilMs: 0 });
  /** `refused`: every second letter, for what is in it or for its size; it is held until that is mended. */
  const troubles = { away: false, slow: 0, refused: false };
  const buried = new Map<string, Stored>();
  const known = new Map<string, Stored>();
  const sent = new Set<string>();

  const isRefused = (key: string) => Number(key.at(-1)) % 2 === 1;
  async function send(key: string, reason: string, signal: AbortSignal): Promise<void> {
    sent.add(key);
    for (;;) {
      await world.sleep(
        random.chance(troubles.slow) ? random.int(100, 12_000) : random.int(1, habits.letterMs),
      );
      if (!troubles.away && !(troubles.refused && isRefused(key))) break;
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
    /** Whether it was given up, be its letter acknowledged or not. */
    wasSent: (key: Buffer): boolean => sent.has(String(key)),
    all: () => buried.values(),
    /** @param begins is told of each that is sent. @returns what is told when it is acknowledged, or given up */
    of: (clock: Clocked, begins: (record: Stored, cause: Cause) => () => void): DeadLetters => ({
      bury: (record, cause, signal) => {
        const key = String(record.key);
        const end = begins(known.get(key) as Stored, cause);
        return heard(clock, send(key, cause.reason, signal)).finally(end);
      },
      unready: () => undefined,
      close: () => Promise.resolve(),
    }),
  };
}

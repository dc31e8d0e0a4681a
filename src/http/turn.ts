/**
 * Work in a row: whoever waits goes on when the event loop has read all that had arrived, one right after the other. That is
 * half the CPU of a route without Kafka: each step's code is fetched once a turn (ARCHITECTURE.md, «Where the time goes»).
 */
import { setImmediate as nextTurn } from "node:timers/promises";

let turn: Promise<void> | undefined;

/** Resolves after the input of this turn of the event loop has been read. */
export const inputRead = (): Promise<void> =>
  (turn ??= nextTurn().then(() => {
    turn = undefined;
  }));

let last = Promise.resolve();

/** Resolves in a turn of its own, for work that takes long: nobody else waits for more than one such piece. */
export const turnOfItsOwn = (): Promise<void> => (last = last.then(() => nextTurn()));

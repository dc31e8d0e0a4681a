/**
 * Compares sides over HTTP: all of them stand ready, and in each round every one is measured in turn, so that what
 * changes on the machine meanwhile changes for all; the others stand still.
 */

import { type ResultRow, spreads } from "../results.ts";
import type { Side } from "../sides/sides.ts";
import type { Brokers } from "./brokers.ts";
import type { WrkOptions } from "./load.ts";
import { type Figures, measure, NoFigure } from "./measure.ts";
import { setPaused } from "./processes.ts";

/** How long and how often. */
export type Effort = {
  warmUpSeconds: number;
  seconds: number;
  rounds: number;
  /** Only what shows that the benchmarks work: one side of a kind, no peer that takes minutes to make. */
  quick: boolean;
  /** Of a benchmark's numbers of connections only these; all, where none of them is. */
  connections: number[];
};

/** What every benchmark works with. @param say told of each measurement */
export type Context = { brokers: Brokers; effort: Effort; stop: AbortSignal; say: (line: string) => void };

export type Comparison = {
  path: WrkOptions["path"];
  /** Orders in each request. */
  orders: number;
  connections: readonly number[];
  starts: readonly (() => Promise<Side>)[];
};

/** Most connections of a warm-up. */
const warmUpConnections = 64;

/** Runs a comparison to its end. */
export async function compare(comparison: Comparison, context: Context): Promise<ResultRow[]> {
  const { brokers, effort, stop } = context;
  const sides: Side[] = [];
  try {
    for (const start of comparison.starts) {
      const side = await start();
      sides.push(side);
      pause(side, true);
    }
    const { path, orders } = comparison;
    const measured = async (side: Side, connections: number, seconds: number) => {
      pause(side, false);
      try {
        return await measure(side, brokers, { path, orders, connections, seconds, stop });
      } finally {
        pause(side, true);
      }
    };
    const warmUpSeconds = Math.max(1, Math.round(effort.warmUpSeconds / sides.length));
    for (const side of sides)
      await measured(side, Math.min(warmUpConnections, ...comparison.connections.slice(-1)), warmUpSeconds);

    const rows: ResultRow[] = [];
    for (const connections of comparison.connections)
      rows.push(...(await inTurn(sides, connections, measured, context)));
    return rows;
  } finally {
    // Paused or not: they are killed.
    for (const side of sides) await side.stop();
  }
}

async function inTurn(
  sides: readonly Side[],
  connections: number,
  measured: (side: Side, connections: number, seconds: number) => Promise<Figures>,
  { effort, say }: Context,
): Promise<ResultRow[]> {
  const found = sides.map((side) => ({
    side,
    rounds: [] as Figures[],
    noFigure: undefined as string | undefined,
  }));
  for (let round = 1; round <= effort.rounds; round += 1)
    for (const one of found.filter(({ noFigure }) => noFigure === undefined)) {
      const title = `${one.side.name}, ${connections} connections, round ${round}`;
      try {
        const figures = await measured(one.side, connections, effort.seconds);
        one.rounds.push(figures);
        say(`${title}: ${brief(figures)}`);
      } catch (error) {
        if (!(error instanceof NoFigure)) throw error;
        one.noFigure = error.message;
        say(`${title}: no figure, ${error.message}`);
      }
    }
  return found.map(({ side, rounds, noFigure }) => {
    const id = { side: side.name, load: `${connections} connections` };
    return noFigure === undefined ? { ...id, figures: spreads(rounds) } : { ...id, figures: {}, noFigure };
  });
}

const pause = ({ pids }: Side, paused: boolean) => setPaused(Object.values(pids).flat(), paused);

/** Figures on one line. */
export const brief = (figures: Figures): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${value < 10 ? value.toFixed(1) : Math.round(value)}`)
    .join(", ");

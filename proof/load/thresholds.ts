/** What k6 says of a run when it is over. Used in k6: nothing that it lacks may be imported. */

/** The part of k6's summary that counts. */
type K6Summary = {
  metrics: Record<string, { values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> }>;
};

export type LoadOutcome = {
  /** Requests of which every order had its final answer: the record has all of them, or it is not whole. */
  answered: number;
  /** Requests that should have been sent and were not, for want of connections. */
  dropped: number;
  /** Thresholds that were crossed; none: all is well. */
  crossed: string[];
};

export function summarize({ metrics }: K6Summary): LoadOutcome {
  const crossed = Object.entries(metrics).flatMap(([metric, { thresholds = {} }]) =>
    Object.entries(thresholds).flatMap(([threshold, { ok }]) => (ok ? [] : [`${metric}: ${threshold}`])),
  );
  const countOf = (name: string) => metrics[name]?.values.count ?? 0;
  return { answered: countOf("iterations"), dropped: countOf("dropped_iterations"), crossed };
}

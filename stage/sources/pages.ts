/** Reads instances over HTTP, each call bounded: what does not answer in time has nothing to say. */
import { createReader, type Reading } from "../readings.ts";

const answerLimitMs = 900;

/** The text of a page; undefined: no answer, or another status than `status`. */
export async function pageOf(url: string, status = 200): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    const text = await answer.text();
    return answer.status === status ? text : undefined;
  } catch {
    return undefined;
  }
}

export interface Said {
  reading: Reading;
  /** Why it is not ready; "" when it is. */
  why: string;
}

/** A reader of one instance, by the address of its own pages. */
export function createInstanceReader(base: string) {
  const reader = createReader();
  return async (): Promise<Said | undefined> => {
    const page = await pageOf(`${base}/metrics`);
    if (page === undefined) {
      reader.forget();
      return undefined;
    }
    const reading = reader.read(page);
    const why = reading.ready ? "" : ((await pageOf(`${base}/readyz`, 503)) ?? "not ready").trim();
    return { reading, why };
  };
}

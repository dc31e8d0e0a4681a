/** Tells of each answer of a load as soon as its record has it, for whoever watches: each once, whatever comes when. */
import { type ClientAnswer, readAnswers } from "../client/answers.ts";

const readEveryMs = 300;

/** Reads a record while it grows. @param path of a file that is there */
export function follow(path: string, told: (answers: readonly ClientAnswer[]) => void) {
  const known = new Set<string>();
  let read = 0;
  let over = false;

  function tell(answers: readonly ClientAnswer[]): void {
    const fresh = answers.filter(({ key }) => !known.has(key));
    for (const { key } of fresh) known.add(key);
    if (fresh.length > 0) told(fresh);
  }
  const reading = (async () => {
    while (!over) {
      const text = await Bun.file(path).slice(read).text();
      // The last line may be half written.
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      read += Buffer.byteLength(whole);
      tell(readAnswers(whole));
      await Bun.sleep(readEveryMs);
    }
  })();
  // Whoever ends it hears of it.
  reading.catch(() => undefined);
  return {
    /** Tells of those that were not in the record so far, and reads no more. */
    async end(all: readonly ClientAnswer[]): Promise<void> {
      over = true;
      await reading;
      tell(all);
    },
  };
}

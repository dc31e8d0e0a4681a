/** Group commit: what comes while one run is under way waits and goes together in the next. */

/** @param run works on at most so many items. @returns what is the answer for each */
export function createGather<Item, Answer>(
  most: number,
  run: (items: Item[]) => Promise<(item: Item) => Answer>,
): (item: Item) => Promise<Answer> {
  const waiting: ({ item: Item } & PromiseWithResolvers<Answer>)[] = [];
  let running = false;
  async function work(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const group = waiting.splice(0, most);
      try {
        const answerOf = await run(group.map(({ item }) => item));
        for (const { item, resolve } of group) resolve(answerOf(item));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    running = false;
  }
  return (item) => {
    const answer = Promise.withResolvers<Answer>();
    waiting.push({ item, ...answer });
    if (!running) void work();
    return answer.promise;
  };
}

/** What was struck here, and until when: remembered, so that it can be healed when nobody looks any more. */
import type { Band, Instance } from "../../page/state.ts";

/** It is down or stands still, for all to see. */
const felling = new Set(["kill", "stop", "pause"]);

export type Bands = ReturnType<typeof createBands>;

export function createBands() {
  const bands = new Map<string, Band>();
  /** Of those that were seen to lie down. */
  const felled = new WeakSet<Band>();
  const injecting = new Set<Band>();
  let nextBand = 1;

  const open = () => [...bands.values()].filter(({ toMs }) => toMs === undefined);

  return {
    add: (band: Band): void => void bands.set(String(nextBand++), band),
    /** Those that are not done yet; whoever strikes keeps it. */
    injecting,
    open,
    /** What comes while it is healed, or is not done yet, may outlast that: it is healed the next time. */
    healable: (): Band[] => open().filter((band) => !injecting.has(band)),
    of: (name: string): Band[] => open().filter(({ target }) => target === name),
    close(some: Band[]): void {
      for (const band of some) band.toMs ??= Date.now();
    },
    /** Takes a look at the instances: who was struck down and is up again was healed by somebody else. */
    observe(instances: Record<string, Instance>): void {
      for (const band of open().filter(({ fault }) => felling.has(fault))) {
        if (instances[band.target]?.state !== "up") felled.add(band);
        else if (felled.has(band)) band.toMs = Date.now();
      }
    },
    /** All of them; what ended long ago is left out. */
    all: (): Record<string, Band> => Object.fromEntries(bands),
    forget: (beforeMs: number): void => {
      for (const [key, { toMs }] of bands) if (toMs !== undefined && toMs < beforeMs) bands.delete(key);
    },
  };
}

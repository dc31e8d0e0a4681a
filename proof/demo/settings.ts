// What a person may set for the demo, read once; every fault is listed in one message.

import { equalPorts } from "../../kit/ports.ts";
import { UserError } from "../../kit/user-error.ts";

export interface DemoSettings {
  /** How long orders are sent. */
  durationS: number;
  ratePerS: number;
  /** 0: any that is free, as for the next. */
  lbPort: number;
  lbStatsPort: number;
}

interface Variable {
  name: string;
  fallback: number;
  minimum: number;
  maximum: number;
}

const variables: Record<keyof DemoSettings, Variable> = {
  durationS: { name: "DEMO_SECONDS", fallback: 60, minimum: 1, maximum: 3_600 },
  // The mock cluster keeps only the newest 5 MB of a partition. An order takes about 0.5 KB, so that even if every
  // order went to one partition, a consumer would have 20 s to come for it; they go to twelve.
  ratePerS: { name: "DEMO_RATE", fallback: 200, minimum: 1, maximum: 500 },
  lbPort: { name: "LB_PORT", fallback: 8080, minimum: 0, maximum: 65_535 },
  lbStatsPort: { name: "LB_STATS_PORT", fallback: 8404, minimum: 0, maximum: 65_535 },
};

/** @throws UserError that lists every fault */
export function readSettings(env: Record<string, string | undefined>): DemoSettings {
  const faults: string[] = [];
  const read = ({ name, fallback, minimum, maximum }: Variable): number => {
    const given = env[name] || String(fallback);
    const value = Number(given);
    if (!/^\d+$/.test(given) || value < minimum || value > maximum)
      faults.push(`${name}=${given}: a whole number from ${minimum} to ${maximum} is expected`);
    return value;
  };
  const settings: DemoSettings = {
    durationS: read(variables.durationS),
    ratePerS: read(variables.ratePerS),
    lbPort: read(variables.lbPort),
    lbStatsPort: read(variables.lbStatsPort),
  };
  const { lbPort, lbStatsPort } = settings;
  faults.push(...equalPorts({ LB_PORT: lbPort, LB_STATS_PORT: lbStatsPort }));
  if (faults.length > 0) throw new UserError(faults.join("\n"));
  return settings;
}

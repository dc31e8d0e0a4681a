/** Structured logs: one JSON line an event on standard output, in pino's form. */
import { type Logger, pino } from "pino";

export type { Logger };

export const createLogger = (tier: string, config: { INSTANCE: string; LOG_LEVEL: string }): Logger =>
  pino({
    level: config.LOG_LEVEL,
    base: { tier, instance: config.INSTANCE },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });

/** Figures as people read them. */

const whole = new Intl.NumberFormat("en");

export const count = (value: number): string => whole.format(value);

export const perS = (value: number | undefined): string =>
  value === undefined ? "" : `${value > 0 && value < 10 ? value.toFixed(1) : count(Math.round(value))}/s`;

export function seconds(value: number): string {
  return value < 100 ? `${value} s` : `${Math.floor(value / 60)} min ${value % 60} s`;
}

export const ms = (value: number | undefined): string =>
  value === undefined
    ? ""
    : value >= 1_000
      ? `${(value / 1_000).toFixed(1)} s`
      : `${value < 10 ? value : Math.round(value)} ms`;

export const clock = (atMs: number): string => new Date(atMs).toLocaleTimeString("en-GB");

/** With its day, where that is not today. */
export function moment(atMs: number): string {
  const at = new Date(atMs);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? clock(atMs) : at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** By which clock times are told here: "GMT+2". */
export const zoneAt = (atMs: number): string =>
  new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" })
    .formatToParts(atMs)
    .find(({ type }) => type === "timeZoneName")?.value ?? "local";

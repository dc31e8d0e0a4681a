// The terminal: events scroll by, and below them a table is drawn anew, in its place. Where there is no terminal,
// there are only lines, one after another.
import type { WriteStream } from "node:tty";

export type Screen = ReturnType<typeof openScreen>;

const colours: [RegExp, code: number][] = [
  [/\bup\b/, 32],
  [/\b(killed|dead)\b/, 31],
  [/\bstarting\b/, 33],
];

/** @param onGone the terminal was closed, or the pipe: there is nobody to see the rest */
export function openScreen(
  out: Pick<WriteStream, "write" | "isTTY" | "columns" | "rows" | "on">,
  env: Record<string, string | undefined>,
  onGone: () => void,
) {
  const live = Boolean(out.isTTY) && env.TERM !== "dumb";
  const coloured = live && !env.NO_COLOR;
  let drawn: string[] = [];
  out.on("error", onGone);

  const paint = (line: string) =>
    coloured
      ? colours.reduce(
          (text, [word, code]) => text.replace(word, (found) => `\x1b[${code}m${found}\x1b[39m`),
          line,
        )
      : line;
  /** Back to where the table begins, and everything from there wiped. */
  const wipe = () => (drawn.length > 0 ? `\x1b[${drawn.length}F\x1b[J` : "");
  const table = () => drawn.map((line) => `${paint(line)}\n`).join("");

  return {
    live,
    /** Writes a line, above the table. */
    say(text: string): void {
      out.write(`${wipe()}${text}\n${table()}`);
    },
    /** Draws the table; does nothing where there is no terminal. A line too long or a row too many is cut off. */
    show(lines: string[]): void {
      if (!live) return;
      const before = wipe();
      drawn = lines.slice(0, out.rows - 1).map((line) => line.slice(0, out.columns - 1));
      out.write(`${before}${table()}`);
    },
    /** Lets the table stand as it is; what comes is written below it. */
    leave(): void {
      drawn = [];
    },
  };
}

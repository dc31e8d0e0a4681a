/**
 * The one page of figures over time that is a file: of a proof when it is over, and of what the stage has seen so far. It needs
 * nothing else: style, plots and script are in it, and no text is taken for markup.
 */
import { join } from "node:path";
import type { RunEvent } from "../events.ts";
import type { OverTime } from "../measures.ts";
import { frame } from "./axes.ts";
import { count, escaped } from "./format.ts";
import { plotsOf, secondValues } from "./plots.ts";

export interface Page {
  title: string;
  heading: string;
  verdict: { text: string; kind: "held" | "broken" | "open" };
  /** One line: which run, when, how long. */
  about: string;
  /** What broke the promise. */
  faults: readonly string[];
  tiles: readonly Tile[];
  seen: OverTime;
  /** Phases and faults, which become bands. */
  events: readonly RunEvent[];
  /** HTML below the plots, made by tables.ts. */
  below: string;
  glossary: Readonly<Record<string, string>>;
}

export interface Tile {
  name: string;
  value: number;
  kind?: "right" | "wrong" | "";
  note?: string;
}

/** A tile of a figure that has to be 0. */
export const promised = (name: string, value: number): Tile => ({
  name,
  value,
  kind: value === 0 ? "right" : "wrong",
});

/** Makes the page. */
export async function documentOf(page: Page): Promise<string> {
  const { title, heading, verdict, about, faults, tiles, seen, events, below, glossary } = page;
  const [style, script] = await Promise.all(
    ["style.css", "hover.js"].map((name) => Bun.file(join(import.meta.dir, name)).text()),
  );
  const { startMs, endMs } = seen;
  const { left, right, width } = frame;
  const data = { startMs, endMs, left, right, width, ...secondValues(seen) };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(heading)}</h1>
<span class="verdict ${verdict.kind}">${escaped(verdict.text)}</span>
<p>${escaped(about)}</p>
</header>
<main>
${faults.length === 0 ? "" : `<ul class="faults">${faults.map((fault) => `<li>${escaped(fault)}</li>`).join("")}</ul>`}
<section class="tiles">${tiles.map(tile).join("")}</section>
<section id="plots">${plotsOf(seen, events)}</section>
<div id="here" hidden></div>
${below}
<details><summary>What the words mean</summary><dl>${Object.entries(glossary)
    .map(([term, meaning]) => `<dt>${escaped(term)}</dt><dd>${escaped(meaning)}</dd>`)
    .join("")}</dl></details>
</main>
<script type="application/json" id="data">${JSON.stringify(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

const tile = ({ name, value, kind = "", note = "" }: Tile): string =>
  `<div class="tile ${kind}"><b>${count(value)}</b>${escaped(name)}${note ? `<br><small>${escaped(note)}</small>` : ""}</div>`;

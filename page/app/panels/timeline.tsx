/** What happened, newest first: what was done here, and what the system did about it; up to where the plots are scrolled back. */
import { visible } from "../../../kit/visible.ts";
import { clock } from "../format.ts";
import { backToMs, part } from "../store.ts";

const events = part((now) => now.events);

export function Timeline() {
  const untilMs = backToMs.value ?? Infinity;
  const newest = Object.entries(events.value ?? {})
    .filter(([, { atMs }]) => atMs <= untilMs)
    .toSorted(([a], [b]) => Number(b) - Number(a));
  return (
    <section class="panel timeline" aria-labelledby="timeline-title">
      <h2 id="timeline-title">What happened{untilMs < Infinity && `, up to ${clock(untilMs)}`}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard has to reach it */}
      <div role="log" aria-labelledby="timeline-title" tabIndex={0}>
        {newest.length === 0 && <p class="quiet">Nothing so far.</p>}
        <ol>
          {newest.map(([key, { atMs, kind, text }]) => (
            <li key={key} class={`was-${kind}`}>
              <time>{clock(atMs)}</time> {visible(text)}
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}

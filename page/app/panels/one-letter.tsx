/** One dead letter in full. What strangers wrote is shown as text alone, and looks like what it is. */
import type { ComponentChildren } from "preact";
import { visible } from "../../../kit/visible.ts";
import type { DeadLetter } from "../../answers.ts";
import { count } from "../format.ts";

export function OneLetter({ letter, children }: { letter: DeadLetter; children: ComponentChildren }) {
  const { source, value, bytes, headers } = letter;
  return (
    <article class="letter wide" aria-labelledby="letter-title">
      <h3 id="letter-title">Letter {placeOf(letter)}</h3>
      <dl>
        <Fact name="reason" text={letter.reason} />
        <Fact name="attempts" text={String(letter.attempts ?? "–")} />
        <Fact name="order" text={letter.orderId ?? "–"} />
        <Fact name="from" text={source ? `${source.topic} ${placeOf(source)}` : "–"} />
        <Fact name="key" text={letter.key ?? "–"} />
        {headers.map(([name, text]) => (
          <Fact key={name} name={`header ${visible(name)}`} text={text} />
        ))}
      </dl>
      <p class="quiet">Its value, {count(bytes)} bytes</p>
      <pre>{value === null ? "none: a stub" : visible(value)}</pre>
      <p class="row">{children}</p>
    </article>
  );
}

const Fact = ({ name, text }: { name: string; text: string }) => (
  <>
    <dt>{name}</dt>
    <dd>{visible(text)}</dd>
  </>
);

export const placeOf = ({ partition, offset }: { partition: number; offset: number }) =>
  `${partition}/${offset}`;

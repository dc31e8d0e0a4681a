/** The verdict, in a sentence and in figures: what the client was told against what the ledger has. */

import { visible } from "../../kit/visible.ts";
import { figureWords, type Verdict, verdictTitles } from "../state.ts";
import { count, seconds } from "./format.ts";
import { part, recorded } from "./store.ts";
import { Words } from "./words.tsx";

const verdict = part((now) => now.verdict);
const kind = part((now) => now.kind);
const readOnly = part((now) => now.readOnly);

export function VerdictPanel() {
  const now = verdict.value;
  if (!now) return null;
  const { status } = now;
  const { destroyed = 0 } = recorded.value?.proof?.figures ?? {};
  // Of a proof that destroyed orders on purpose it would be untrue that nothing is.
  const title = status === "good" && destroyed > 0 ? "The promise held" : verdictTitles[status];
  return (
    <section class={`verdict ${status}`} aria-labelledby="verdict-title">
      <div class="sentence">
        <div role="status">
          <h2 id="verdict-title">{title}</h2>
        </div>
        <p>{explained(now)}</p>
      </div>
      <div class="figures">
        <dl>
          <Figure name="sent" value={now.sent} />
          <Figure name="accepted" value={now.accepted} />
          <Figure name="refused" value={now.refused} />
          <Figure name="unknown" value={now.unknown} />
        </dl>
        <dl>
          <Figure name="handled" value={now.handled} />
          <Figure
            name="waiting"
            value={now.waiting}
            note={now.waiting > 0 && now.oldestS > 0 ? seconds(now.oldestS) : ""}
          />
          <Figure name="delivered again" value={now.redelivered} />
          <Figure name="dead letters" value={now.dead} />
        </dl>
        <dl class="proof">
          <Figure name="lost" value={now.lost} bad />
          <Figure name="doubled" value={now.doubled} bad />
          <Figure name="phantom" value={now.phantom} bad />
          <Figure name="mistaken" value={now.mistaken} bad />
        </dl>
      </div>
      <Words of="What the figures mean" words={figureWords} />
    </section>
  );
}

function explained(now: Verdict): string {
  const { status, why, sent, accepted, handled, dead, waiting, oldestS } = now;
  if (status === "idle")
    return sent > 0
      ? `${count(sent)} were sent: ${count(now.refused)} refused, ${count(now.unknown)} unknown.`
      : recorded.value
        ? "The stage itself sent no order."
        : readOnly.value
          ? "What this stage itself sends is held against the ledger, and it is for showing: it sends nothing."
          : "Start the load below: each order's answer is held against the ledger.";
  if (status === "blind") return visible(why);
  const proof = recorded.value?.proof;
  if (status === "broken" && proof) return visible(proof.faults.join("; "));
  if (status === "broken")
    return `${count(now.lost)} lost, ${count(now.doubled)} doubled, ${count(now.phantom)} phantom, ${count(now.mistaken)} mistaken.`;
  if (status === "waiting")
    return `${count(waiting)} accepted orders are not handled yet, the oldest for ${seconds(oldestS)}. They wait in Kafka; one that the consumers pass by counts as lost.`;
  if (kind.value === "replay") return "As it was recorded.";
  const { destroyed = 0 } = proof?.figures ?? {};
  const others = [
    dead > 0 && `${count(dead)} kept as dead letters`,
    waiting > 0 && `${count(waiting)} on their way`,
    destroyed > 0 && `${count(destroyed)} destroyed by a fault`,
  ];
  const handledOf = `Of ${count(accepted)} accepted orders ${count(handled)} are handled`;
  return `${[handledOf, ...others.filter(Boolean)].join(", ")}.`;
}

interface FigureProps {
  name: keyof typeof figureWords;
  value: number;
  note?: string;
  bad?: boolean;
}

function Figure({ name, value, note, bad }: FigureProps) {
  return (
    <div class={bad && value > 0 ? "bad" : ""} title={figureWords[name]}>
      <dt>{name}</dt>
      <dd>
        {count(value)}
        {note && <small> {note}</small>}
      </dd>
    </div>
  );
}

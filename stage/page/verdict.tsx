/** The verdict, in a sentence and in figures: what the client was told against what the ledger has. */
import type { Verdict } from "../state.ts";
import { count, seconds } from "./format.ts";
import { part } from "./store.ts";

const verdict = part((now) => now.verdict);
const kind = part((now) => now.kind);

export function VerdictPanel() {
  const now = verdict.value;
  if (!now) return null;
  const { status } = now;
  return (
    <section class={`verdict ${status}`} aria-labelledby="verdict-title">
      <div class="sentence">
        <div role="status">
          <h2 id="verdict-title">{titles[status]}</h2>
        </div>
        <p>{explained(now)}</p>
      </div>
      <div class="figures">
        <dl>
          <Figure name="sent" value={now.sent} title="Orders with a final answer" />
          <Figure name="accepted" value={now.accepted} title="Answered 202" />
          <Figure name="refused" value={now.refused} title="Certainly not accepted" />
          <Figure name="unknown" value={now.unknown} title="The client can't tell: either is right" />
        </dl>
        <dl>
          <Figure
            name="handled"
            value={now.handled}
            title="Accepted, with a row and its effect in the ledger"
          />
          <Figure
            name="waiting"
            value={now.waiting}
            note={now.waiting > 0 && now.oldestS > 0 ? seconds(now.oldestS) : ""}
            title="Accepted and not handled yet, and the age of the oldest"
          />
          <Figure
            name="delivered again"
            value={now.redelivered}
            title="Deliveries beyond the first: no fault"
          />
          <Figure name="dead letters" value={now.dead} title="Given up and kept, with the reason" />
        </dl>
        <dl class="proof">
          <Figure name="lost" value={now.lost} title="Accepted, and neither handled nor a dead letter" bad />
          <Figure name="doubled" value={now.doubled} title="Orders whose effect was applied twice" bad />
          <Figure name="phantom" value={now.phantom} title="Refused, and handled all the same" bad />
        </dl>
      </div>
    </section>
  );
}

const titles: Record<Verdict["status"], string> = {
  idle: "No order yet",
  good: "Nothing is lost",
  waiting: "Nothing is lost; orders wait",
  broken: "The promise is broken",
  blind: "It can't be known now",
};

function explained(now: Verdict): string {
  const { status, why, accepted, handled, waiting, oldestS } = now;
  if (status === "idle") return "Start the load below: each order's answer is held against the ledger.";
  if (status === "blind") return why;
  if (status === "broken")
    return `${count(now.lost)} lost, ${count(now.doubled)} doubled, ${count(now.phantom)} phantom.`;
  if (status === "waiting")
    return `${count(waiting)} accepted orders are not handled yet, the oldest for ${seconds(oldestS)}. They are safe in Kafka.`;
  return kind.value === "replay"
    ? "As it was recorded."
    : `Of ${count(accepted)} accepted orders ${count(handled + now.dead)} are handled${waiting > 0 ? ` and ${count(waiting)} on their way` : ""}.`;
}

interface FigureProps {
  name: string;
  value: number;
  title: string;
  note?: string;
  bad?: boolean;
}

function Figure({ name, value, title, note, bad }: FigureProps) {
  return (
    <div class={bad && value > 0 ? "bad" : ""} title={title}>
      <dt>{name}</dt>
      <dd>
        {count(value)}
        {note && <small> {note}</small>}
      </dd>
    </div>
  );
}

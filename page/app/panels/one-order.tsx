/** One order: placed as it is written, or found again; its way from stop to stop, with the code of each. */
import { signal } from "@preact/signals";
import { visible } from "../../../kit/visible.ts";
import { anOrder } from "../../../src/sample.ts";
import type { Stop, Way } from "../../answers.ts";
import { ask, part, placeOrder } from "../store.ts";

/** As a person would write it. */
const sample = JSON.stringify(anOrder, undefined, " ").replaceAll(/\n */g, " ");
const askEveryMs = 400;
const patienceMs = 60_000;

const secured = part((now) => now.kind === "secured");
const way = signal<Way | undefined>(undefined);
const trouble = signal("");
/** The order that is being followed: another one ends that. */
let followed = "";

/** Asks again and again until its end is known. */
async function follow(query: string): Promise<void> {
  followed = query;
  way.value = undefined;
  trouble.value = "";
  const untilMs = Date.now() + patienceMs;
  while (followed === query && Date.now() < untilMs) {
    const found = await ask<Way>(`/order?${query}`);
    if (followed !== query) return;
    if (!found || found.error) {
      trouble.value = found?.error ?? "The stage does not answer.";
      return;
    }
    way.value = found;
    if (found.status !== "accepted" && found.status !== "unknown") return;
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}

export function OneOrder() {
  return (
    <section class="panel one" aria-labelledby="one-title">
      <h2 id="one-title">One order's way</h2>
      <div class="forms">
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const order = String(new FormData(event.currentTarget).get("order"));
            const { id, error } = await placeOrder(order);
            if (id) void follow(new URLSearchParams({ id }).toString());
            else trouble.value = `It could not be placed: ${error}`;
          }}
        >
          <label>
            Order
            <textarea name="order" rows={2} spellcheck={false}>
              {sample}
            </textarea>
          </label>
          <button type="submit" class="main">
            Place it
          </button>
        </form>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const form = new FormData(event.currentTarget);
            const [which = "", key = "", principal = ""] = ["which", "key", "principal"].map((name) =>
              String(form.get(name) ?? "").trim(),
            );
            const query = key ? { customer: which, key, principal } : { id: which };
            void follow(new URLSearchParams(query).toString());
          }}
        >
          <label>
            Its id, or its customer
            <input name="which" autocomplete="off" required />
          </label>
          <label>
            and its key
            <input name="key" autocomplete="off" />
          </label>
          {secured.value && (
            <label>
              and whose it is, if not the load's
              <input name="principal" autocomplete="off" />
            </label>
          )}
          <button type="submit">Find it</button>
        </form>
      </div>
      <div role="status">
        {trouble.value && <p class="failed">{trouble.value}</p>}
        {way.value && (
          <p>
            <code>{way.value.id}</code>{" "}
            <b class={`fate ${way.value.status.replace(" ", "-")}`}>{way.value.status}</b>
            {way.value.status === "not found" &&
              ": the ledger has neither a row nor a dead letter of it. It may still wait in Kafka."}
          </p>
        )}
      </div>
      {way.value && way.value.stops.length > 0 && <Waterfall stops={way.value.stops} />}
    </section>
  );
}

function Waterfall({ stops }: { stops: Stop[] }) {
  const startMs = Math.min(...stops.map(({ fromMs }) => fromMs));
  const spanMs = Math.max(1, ...stops.map(({ toMs }) => toMs - startMs));
  return (
    <ol class="waterfall">
      {stops.map((stop) => (
        <li key={stop.name}>
          <b>{stop.name}</b>
          <span class="bar" aria-hidden="true">
            <i
              style={{
                left: `${(100 * (stop.fromMs - startMs)) / spanMs}%`,
                width: `${(100 * (stop.toMs - stop.fromMs)) / spanMs}%`,
              }}
            />
          </span>
          <span class="when">
            {stop.fromMs - startMs}
            {stop.toMs > stop.fromMs && ` – ${stop.toMs - startMs}`} ms
          </span>
          <span class="what">
            {visible(stop.what)} <code>{stop.code}</code>
          </span>
        </li>
      ))}
    </ol>
  );
}

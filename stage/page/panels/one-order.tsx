/** One order: placed as it is written, or found again; its way from stop to stop, with the code of each. */
import { signal } from "@preact/signals";
import type { Stop, Way } from "../../state.ts";
import { ask, part, placeOrder } from "../store.ts";

const sample = '{"customer": "c42", "coffee": "latte", "size": "medium", "quantity": 2}';
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
    if (found.status !== "accepted") return;
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
            const id = await placeOrder(order);
            if (id) void follow(new URLSearchParams({ id }).toString());
            else trouble.value = "It could not be placed.";
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
            const [first = "", key = "", principal = ""] = String(
              new FormData(event.currentTarget).get("which"),
            )
              .trim()
              .split(/\s+/);
            void follow(
              new URLSearchParams(key ? { customer: first, key, principal } : { id: first }).toString(),
            );
          }}
        >
          <label>
            Its id, or customer and key{secured.value && ", and whose it is, if not the load's"}
            <input name="which" autocomplete="off" required />
          </label>
          <button type="submit">Find it</button>
        </form>
      </div>
      <div role="status">
        {trouble.value && <p class="failed">{trouble.value}</p>}
        {way.value && (
          <p>
            <code>{way.value.id}</code>{" "}
            <b class={`fate ${way.value.status.replace(" ", "-")}`}>{way.value.status}</b>
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
            {stop.what} <code>{stop.code}</code>
          </span>
        </li>
      ))}
    </ol>
  );
}

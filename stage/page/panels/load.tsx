/** The load by hand: how many orders, what kind, a burst, a pause. */
import { type Mix, mixes } from "../../state.ts";
import { count, ms, perS } from "../format.ts";
import { act, part } from "../store.ts";

const load = part((now) => now.load);
const names: Record<Mix, string> = {
  single: "single orders",
  batch: "batches",
  slow: "slow bodies",
  keyed: "each sent twice under its key",
};
const burstOrders = 1_000;

export function LoadPanel() {
  const now = load.value;
  if (!now) return null;
  return (
    <section class="panel load" aria-labelledby="load-title">
      <h2 id="load-title">Load</h2>
      <p class="row">
        <button type="button" class="main" onClick={() => act({ do: "load", paused: !now.paused })}>
          {now.paused ? "Send orders" : "Pause the load"}
        </button>
        <button type="button" onClick={() => act({ do: "burst", orders: burstOrders })}>
          Burst of {count(burstOrders)}
        </button>
      </p>
      <label>
        Rate <output>{perS(now.ratePerS)}</output>
        <input
          type="range"
          min="0"
          max="500"
          step="10"
          value={now.ratePerS}
          onChange={({ currentTarget }) => act({ do: "load", ratePerS: Number(currentTarget.value) })}
        />
      </label>
      <label>
        Mix{" "}
        <select
          value={now.mix}
          onChange={({ currentTarget }) => act({ do: "load", mix: currentTarget.value })}
        >
          {mixes.map((mix) => (
            <option key={mix} value={mix}>
              {names[mix]}
            </option>
          ))}
        </select>
      </label>
      <p class="quiet">
        {perS(now.answeredPerS)} answered, {count(now.open)} under way
        {now.p99Ms !== undefined && `, p99 ${ms(now.p99Ms)}`}
      </p>
    </section>
  );
}

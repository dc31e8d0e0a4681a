/** The load by hand: how many orders, what kind, a burst, a pause. */
import { type Mix, mixes, type ProfileName, profileNames } from "../../state.ts";
import { count, ms, perS } from "../format.ts";
import { act, part } from "../store.ts";

const load = part((now) => now.load);
const names: Record<Mix, string> = {
  single: "single orders",
  batch: "batches",
  slow: "slow bodies",
  keyed: "each sent twice under its key",
};
const profile = part((now) => now.profile);
const atMs = part((now) => now.atMs);
const profiles: Record<ProfileName, string> = {
  steady: "100 orders a second",
  burst: "30, then 300 for 6 s, then 30 again",
  mix: "100, a batch every fourth request",
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
      <K6 />
      <p class="quiet">
        {perS(now.answeredPerS)} answered, {count(now.open)} under way
        {now.p99Ms !== undefined && `, p99 ${ms(now.p99Ms)}`}
      </p>
    </section>
  );
}

/** The same orders by k6: an open load, which sends no less when the system is slow. */
function K6() {
  const last = profile.value;
  return (
    <div class="k6">
      <h3>By k6, a load generator, for 30 s</h3>
      {last?.running ? (
        <p class="row">
          <progress
            max={last.durationS}
            value={Math.min(last.durationS, ((atMs.value ?? 0) - last.startedMs) / 1_000)}
            aria-label={`k6 ${last.name}`}
          />
          <button type="button" onClick={() => act({ do: "stop-profile" })}>
            Stop k6
          </button>
        </p>
      ) : (
        <p class="row">
          {profileNames.map((name) => (
            <button key={name} type="button" onClick={() => act({ do: "profile", name })}>
              {name}
            </button>
          ))}
        </p>
      )}
      {!last?.running && (
        <p class="quiet small">{profileNames.map((name) => `${name}: ${profiles[name]}`).join("; ")}.</p>
      )}
      {last && (
        <p class={last.error ? "failed" : "quiet"} role="status">
          {last.name}, {last.running ? "runs" : last.stopped ? "stopped" : "done"}: {count(last.answered)}{" "}
          answered, {count(last.accepted)} accepted
          {!last.running && !last.stopped && !last.error && `; ${heldOf(last.crossed)}`}
          {last.error && `: ${last.error}`}
        </p>
      )}
    </div>
  );
}

const heldOf = (crossed: string[]): string =>
  crossed.length === 0 ? "its thresholds held" : `crossed: ${crossed.join(", ")}`;

/** What can be done to one instance, or to a tier: one press each, nothing asked twice. Beside the page, not over it. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { visible } from "../../kit/visible.ts";
import type { Instance, TierName } from "../state.ts";
import { ms, perS } from "./format.ts";
import { act, chosen, part, strike } from "./store.ts";

const instances = part((now) => now.instances);
const offered = part((now) => now.faults);
const scalable = part((now) => now.scalable);
const withheld = part((now) => now.withheld);
const readOnly = part((now) => now.readOnly);

const faults: Record<string, { label: string; what: string }> = {
  kill: { label: "Kill -9", what: "dies without a word, as by a crash" },
  stop: { label: "Stop", what: "is asked to end: finishes its work first" },
  pause: { label: "Pause", what: "stands still with its connections open, and knows nothing of it" },
  slow: { label: "Slow down", what: "every packet it sends waits 100 ms, or its network is narrow" },
  partition: { label: "Cut off", what: "packets between it and another one vanish" },
  reload: { label: "Reload", what: "reads its configuration again without losing a request" },
};

/** Why nothing is lost while one of a tier is away. */
const rules: Record<TierName, string> = {
  balancer: "Clients have no answer meanwhile, and try again with the same key: each is still one order.",
  producer: "HAProxy gives its requests to another one, with the same key: each is still one order.",
  broker:
    "Every accepted order is on a second broker. Other brokers come to lead its partitions; until then orders go to the other partitions.",
  zookeeper: "Two of three are a majority, and orders do not pass through it.",
  consumer:
    "It commits an offset only after the work. Others take its partitions; what was in its hands comes again, and the ledger knows what is done.",
  ledger: "Orders wait in Kafka: nothing is committed that is not in the ledger.",
};

export function Inspector() {
  const panel = useRef<HTMLDivElement>(null);
  const opener = useRef<Element | null>(null);
  const name = chosen.value;
  // At once: a key that follows is for the panel.
  useLayoutEffect(() => {
    if (name === undefined) return;
    opener.current = document.activeElement;
    panel.current?.focus();
  }, [name]);
  if (name === undefined) return null;
  const close = (event?: Event) => {
    event?.stopPropagation();
    chosen.value = undefined;
    if (opener.current instanceof HTMLElement) opener.current.focus();
  };
  const tier = name.startsWith("tier:") ? name.slice("tier:".length) : undefined;
  const one = instances.value?.[name];
  return (
    <div
      class="inspector"
      role="dialog"
      aria-label={tier ? `the ${tier}s` : name}
      tabIndex={-1}
      ref={panel}
      // What was pressed may be gone now: the focus stays here.
      onClick={({ target }) => target instanceof HTMLButtonElement && panel.current?.focus()}
      onKeyDown={({ key }) => key === "Escape" && close()}
    >
      <button type="button" class="plain close" aria-label="Close" onClick={close}>
        ×
      </button>
      {tier ? <OfTier tier={tier} /> : one ? <OfInstance name={name} one={one} /> : <p>{name} is gone.</p>}
    </div>
  );
}

function OfInstance({ name, one }: { name: string; one: Instance }) {
  const { tier, state, why, role, ratePerS, p99Ms, struck } = one;
  const here = offered.value?.[tier] ?? [];
  const isIll = state === "down" || state === "paused" || struck.length > 0;
  return (
    <>
      <h2>{name}</h2>
      <p>
        <i class={`dot ${state}`} aria-hidden="true" /> {state}
        {why && why !== state && `: ${visible(why)}`}
        {role && `, ${role}`}
        {struck.length > 0 && `; struck by this page: ${struck.join(", ")}`}
      </p>
      {state !== "up" && (
        <p class="rule">
          <b>Why nothing is lost:</b> {rules[tier]}
        </p>
      )}
      {ratePerS !== undefined && (
        <p>
          {perS(ratePerS)}
          {p99Ms !== undefined && `, p99 ${ms(p99Ms)}`}
        </p>
      )}
      {readOnly.value || here.length === 0 ? (
        <p class="quiet">Nothing can be done to it here.</p>
      ) : (
        <ul class="actions">
          {isIll && (
            <li>
              <button type="button" class="heal" onClick={() => act({ do: "heal", target: name })}>
                {state === "down" ? "Start" : "Heal"}
              </button>
              <span>undoes whatever was done to it</span>
            </li>
          )}
          {state !== "down" &&
            here
              .filter((fault) => faults[fault] && fault !== "partition" && !struck.includes(fault))
              .map((fault) => (
                <li key={fault}>
                  <button type="button" onClick={() => strike(fault, name)}>
                    {faults[fault]?.label}
                  </button>
                  <span>{faults[fault]?.what}</span>
                </li>
              ))}
          {state !== "down" && here.includes("partition") && !struck.includes("partition") && (
            <CutOff name={name} />
          )}
          {Object.entries(withheld.value ?? {}).map(([fault, reason]) => (
            <li key={fault}>
              <button type="button" disabled>
                {faults[fault]?.label}
              </button>
              <span>not to be had here: {reason}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function CutOff({ name }: { name: string }) {
  const others = Object.entries(instances.value ?? {}).filter(
    ([other, { state }]) => other !== name && state === "up",
  );
  const [from, setFrom] = useState("");
  const chosenFrom = others.some(([other]) => other === from) ? from : (others[0]?.[0] ?? "");
  return (
    <li>
      <button type="button" onClick={() => strike("partition", name, chosenFrom)}>
        Cut off
      </button>
      <label>
        from{" "}
        <select value={chosenFrom} onChange={({ currentTarget }) => setFrom(currentTarget.value)}>
          {others.map(([other]) => (
            <option key={other}>{other}</option>
          ))}
        </select>
      </label>
    </li>
  );
}

function OfTier({ tier }: { tier: string }) {
  const now = Object.values(instances.value ?? {}).filter((one) => one.tier === tier).length;
  return (
    <>
      <h2>The {tier}s</h2>
      <ul class="actions">
        <li>
          <button type="button" onClick={() => act({ do: "restart", tier })}>
            Rolling restart
          </button>
          <span>one after the other, each waited for, as a new version is brought in</span>
        </li>
        {(scalable.value?.includes(tier) ? [now - 1, now + 1] : [])
          .filter((wanted) => wanted >= 1 && wanted <= 6)
          .map((wanted) => (
            <li key={wanted}>
              <button type="button" onClick={() => act({ do: "scale", tier, count: wanted })}>
                Scale to {wanted}
              </button>
              <span>{wanted > now ? "one more" : "one fewer: it finishes its work first"}</span>
            </li>
          ))}
      </ul>
    </>
  );
}

/**
 * The topology as it stands: every instance a card that opens what can be done to it, every step between two tiers with
 * its rate and percentile. The lines and what flows on them are drawn behind the cards (flow.ts).
 */
import { useEffect, useRef } from "preact/hooks";
import { visible } from "../../kit/visible.ts";
import type { EdgeName, Instance, Partition, TierName } from "../state.ts";
import { startFlow } from "./flow.ts";
import { clock, count, ms, perS, seconds } from "./format.ts";
import { chosen, part, past, shown } from "./store.ts";

const instances = part((now) => now.instances, shown);
const partitions = part((now) => now.partitions, shown);
const edges = part((now) => now.edges, shown);
const load = part((now) => now.load, shown);
const readOnly = part((now) => now.readOnly);
const group = part((now) => now.group, shown);

const titles: Record<TierName, string> = {
  balancer: "HAProxy",
  producer: "Producers",
  broker: "Kafka brokers",
  zookeeper: "ZooKeeper",
  consumer: "Consumers",
  ledger: "Ledger",
};

export function Diagram() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => (canvas.current ? startFlow(canvas.current, shown) : undefined), []);
  return (
    <section class="diagram" aria-label="The topology">
      <canvas ref={canvas} />
      {past.value && (
        <p class="then">
          As it was at {clock(past.value.atMs)}.{!readOnly.value && " What is pressed here is done now."}
        </p>
      )}
      <div class="tier client">
        <h3>Client</h3>
        <div class="cards">
          <div class="card still" data-node="client">
            <b>clients</b>
            <span>
              {edges.value?.placed.ratePerS
                ? perS(edges.value.placed.ratePerS)
                : load.value?.open || load.value?.answeredPerS
                  ? "none accepted"
                  : "nothing is sent"}
            </span>
            <span class="quiet">{count(load.value?.open ?? 0)} under way</span>
          </div>
        </div>
      </div>
      <Step name="placed" />
      <Tier name="balancer" />
      <Step name="balanced" />
      <Tier name="producer" />
      <Step name="appended" />
      <div class="stack">
        <Tier name="broker" />
        <Tier name="zookeeper" />
      </div>
      <Step name="polled" />
      <Tier name="consumer" />
      <Step name="handled" />
      <Tier name="ledger" />
      <p class="legend">
        {!readOnly.value && <span>Press an instance to break it, or to heal it.</span>}
        <span>
          Under a consumer: its partitions, the broker that leads each (k) and its leader epoch (e), a dot for
          each replica in sync, the orders that wait.
        </span>
        <span>p99: 99 of 100 took no longer, over the last 3 s.</span>
        <span data-legend />
      </p>
    </section>
  );
}

function Tier({ name }: { name: TierName }) {
  const members = Object.entries(instances.value ?? {}).filter(([, { tier }]) => tier === name);
  if (members.length === 0) return null;
  const orphans =
    name === "consumer" ? Object.entries(partitions.value ?? {}).filter(([, { owner }]) => !owner) : [];
  const rolling = part((now) => !now.readOnly && now.rolling.includes(name)).value;
  return (
    <div class={`tier ${name}`}>
      <h3>
        {rolling ? (
          <button
            type="button"
            class="plain title"
            onClick={() => {
              chosen.value = `tier:${name}`;
            }}
          >
            {titles[name]} <span aria-hidden="true">⋯</span>
          </button>
        ) : (
          titles[name]
        )}
      </h3>
      <div class="cards">
        {members.map(([key, one]) => (
          <Card key={key} name={key} one={one} />
        ))}
        {orphans.length > 0 && (
          <div class="card still orphans">
            <b>nobody's yet</b>
            <span>partitions {orphans.map(([at]) => at).join(" ")}</span>
            {group.value?.members ? <span class="quiet">group: {group.value.state}</span> : null}
          </div>
        )}
      </div>
    </div>
  );
}

function Card({ name, one }: { name: string; one: Instance }) {
  const { tier, state: is, why, struck, role, ratePerS, p99Ms } = one;
  const ill = struck.filter((fault) => !["kill", "stop", "pause"].includes(fault));
  return (
    <button
      type="button"
      class={`card ${is}`}
      data-node={name}
      aria-haspopup="dialog"
      onClick={() => {
        chosen.value = name;
      }}
    >
      <b>
        <i class="dot" aria-hidden="true" />
        {name.replace("-", " ")}
        {role && is === "up" && <em>{role}</em>}
      </b>
      <span class={is === "up" ? "" : "why"}>
        {is === "up" ? perS(ratePerS) : is}
        {is === "up" && p99Ms !== undefined && <span class="quiet"> p99 {ms(p99Ms)}</span>}
        {is !== "up" && why && why !== is && <span class="quiet"> {visible(why)}</span>}
      </span>
      {ill.length > 0 && <span class="why">{ill.map((fault) => words[fault] ?? fault).join(", ")}</span>}
      {tier === "broker" && is === "up" && <Leads id={Number(/\d+$/.exec(name)?.[0])} />}
      {tier === "consumer" && <Lanes owner={name} />}
    </button>
  );
}

const words: Record<string, string> = { slow: "slowed down", partition: "cut off" };

function Leads({ id }: { id: number }) {
  const all = Object.values(partitions.value ?? {});
  const led = all.filter(({ leader }) => leader === id).length;
  const behind = all.filter(({ replicas, inSync }) => replicas.includes(id) && !inSync.includes(id)).length;
  return (
    <span class="quiet">
      leads {led}
      {behind > 0 && <span class="why">, behind in {behind}</span>}
    </span>
  );
}

/** The partitions that a consumer owns, each with its leader, its replicas in sync and what waits in it. */
function Lanes({ owner }: { owner: string }) {
  const owned = Object.entries(partitions.value ?? {}).filter(([, one]) => one.owner === owner);
  return (
    <span class="lanes">
      {owned.map(([at, one]) => (
        <Lane key={at} at={at} one={one} />
      ))}
    </span>
  );
}

function Lane({ at, one }: { at: string; one: Partition }) {
  const { leader, epoch, replicas, inSync, lag, oldestS } = one;
  const waits = `${count(lag)}${oldestS > 0 ? ` ${seconds(oldestS)}` : ""}`;
  return (
    <span
      class="lane"
      data-lane={at}
      title={`Partition ${at}: ${leader < 0 ? "no leader" : `led by kafka${leader} in epoch ${epoch}`}, in sync ${inSync.join(", ")}; ${count(lag)} orders wait${oldestS > 0 ? `, the oldest for ${seconds(oldestS)}` : ""}`}
    >
      <span>p{at}</span>
      <span class={leader < 0 ? "why" : ""}>{leader < 0 ? "–" : `k${leader} e${epoch}`}</span>
      <span class="isr" aria-hidden="true">
        {replicas.toSorted().map((id) => (
          <i key={id} class={inSync.includes(id) ? "in" : "out"} />
        ))}
      </span>
      <span class={lag > 0 ? "lag some" : "lag"}>{waits}</span>
    </span>
  );
}

function Step({ name }: { name: EdgeName }) {
  const edge = edges.value?.[name];
  return (
    <div class="step" data-step={name}>
      <span>{perS(edge?.ratePerS ?? 0)}</span>
      {edge?.p99Ms !== undefined && <span class="quiet">p99 {ms(edge.p99Ms)}</span>}
    </div>
  );
}

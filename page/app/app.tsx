/** The page from top to bottom: the verdict, the living diagram, and below what one can do and what has happened. */

import { visible } from "../../kit/visible.ts";
import { Diagram } from "./diagram.tsx";
import { zoneAt } from "./format.ts";
import { Inspector } from "./inspector.tsx";
import { Guide } from "./panels/guide.tsx";
import { Letters } from "./panels/letters.tsx";
import { LoadPanel } from "./panels/load.tsx";
import { OneOrder } from "./panels/one-order.tsx";
import { Plots } from "./panels/plots.tsx";
import { ProofPanel } from "./panels/proof.tsx";
import { InstanceTable } from "./panels/table.tsx";
import { Timeline } from "./panels/timeline.tsx";
import { act, guarded, live, outcome, part, recorded, state } from "./store.ts";
import { VerdictPanel } from "./verdict.tsx";

const readOnly = part((now) => now.readOnly);
const kinds = {
  containers: "the topology of make up",
  secured: "the secured topology of make up SECURE=1: encrypted, and everybody in it known by a name",
  embedded: "the embedded pipeline of make demo; its brokers are a mock cluster, without ZooKeeper",
  replay: "a recorded feed",
};
const kind = part((now) => kinds[now.kind]);
/** A proof's file has none. */
const hasInstances = part((now) => Object.keys(now.instances).length > 0);

export function App() {
  if (state.value === undefined) return <p class="connecting">Connecting to the stage …</p>;
  return (
    <>
      <header class="top">
        <h1>
          Coffee Orders <small>{visible(recorded.value?.about ?? kind.value ?? "")}</small>
        </h1>
        {!live.value && (
          <p class="offline" role="alert">
            The stage does not answer; this is the last that it said.
          </p>
        )}
        {readOnly.value ? (
          <p class="quiet">
            {recorded.value
              ? `a file: as it was; times are ${zoneAt(recorded.value.state.atMs)}`
              : "for showing: nothing can be done here"}
          </p>
        ) : (
          <div class="tools">
            <label class="switch" title="Refuses what would take the majority of a tier away">
              <input
                type="checkbox"
                checked={guarded.value}
                onChange={(event) => {
                  guarded.value = event.currentTarget.checked;
                }}
              />
              Keep a majority of each tier
            </label>
            <button type="button" class="heal" onClick={() => act({ do: "heal-all" })}>
              Heal everything
            </button>
          </div>
        )}
      </header>
      <main>
        <p class="about">
          {readOnly.value ? (
            "Whichever instance breaks: an order that was answered «accepted» is handled, once."
          ) : (
            <>
              Break any instance, and watch: an order that was answered «accepted» is handled, once.{" "}
              <a href="#guide-title">Begin with the first five minutes</a>
            </>
          )}
        </p>
        <VerdictPanel />
        {hasInstances.value && <Diagram />}
        <Outcome />
        <div class={readOnly.value ? "below showing" : "below"}>
          {!readOnly.value && <Guide />}
          {!readOnly.value && <LoadPanel />}
          <Plots />
          <Timeline />
          {!readOnly.value && <OneOrder />}
          {recorded.value?.proof && <ProofPanel proof={recorded.value.proof} />}
          {!recorded.value && <Letters />}
          {hasInstances.value && <InstanceTable />}
        </div>
      </main>
      <Inspector />
    </>
  );
}

function Outcome() {
  const last = outcome.value;
  return (
    <div class="outcome" role="status">
      {last && (
        <p class={last.failed ? "failed" : ""}>
          {last.failed ? visible(last.text) : "The same by hand: "}
          {!last.failed && <code>{last.text}</code>}
          <button
            type="button"
            class="plain dismiss"
            aria-label="Dismiss"
            onClick={() => {
              outcome.value = undefined;
            }}
          >
            ×
          </button>
        </p>
      )}
    </div>
  );
}

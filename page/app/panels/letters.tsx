/**
 * Dead letters: listed, filtered, looked at, and sent again: first the plan, which says which can have no second effect, then
 * the sending with its progress. What strangers wrote is shown as text alone.
 */
import { signal } from "@preact/signals";
import { visible } from "../../../kit/visible.ts";
import type { DeadLetter, LetterList, LetterPlan, ListedLetter } from "../../answers.ts";
import { count, moment } from "../format.ts";
import { act, ask, part } from "../store.ts";
import { OneLetter, placeOf } from "./one-letter.tsx";

const ages = { "": "any time", "15m": "the last 15 min", "1h": "the last hour", "1d": "the last day" };
const redrive = part((now) => now.redrive);
const readOnly = part((now) => now.readOnly);

const listed = signal<LetterList | undefined>(undefined);
const opened = signal<DeadLetter | undefined>(undefined);
/** What was planned, and for which letters. */
const planned = signal<{ plan: LetterPlan; query: Query } | undefined>(undefined);
const trouble = signal("");
const busy = signal(false);

type Query = Record<string, string>;
/** As the form said when the letters were listed. */
let filter: Query = {};

async function look<T>(path: string, query: Query): Promise<T | undefined> {
  [busy.value, trouble.value] = [true, ""];
  const found = await ask<T>(`${path}?${new URLSearchParams(query)}`);
  busy.value = false;
  if (found && !found.error) return found;
  trouble.value = found?.error ?? "The stage does not answer.";
  return undefined;
}

async function list(form: HTMLFormElement): Promise<void> {
  const given = [...new FormData(form)].map(([name, text]): [string, string] => [name, String(text).trim()]);
  filter = Object.fromEntries(given.filter(([, text]) => text !== ""));
  [opened.value, planned.value] = [undefined, undefined];
  listed.value = await look<LetterList>("/letters", filter);
}

async function plan(query: Query): Promise<void> {
  planned.value = undefined;
  const found = await look<LetterPlan>("/letters/plan", query);
  if (found) planned.value = { plan: found, query };
}

async function send(query: Query): Promise<void> {
  if (await act({ do: "redrive", ...query })) planned.value = undefined;
}

export function Letters() {
  const found = listed.value;
  return (
    <section class="panel letters" aria-labelledby="letters-title">
      <h2 id="letters-title">Dead letters</h2>
      <p class="quiet">
        Orders that were given up after their last attempt, whoever placed them, kept whole with the reason.
        Mend the cause, then send them again.
      </p>
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault();
          void list(event.currentTarget);
        }}
      >
        <label>
          Reason contains <input name="reason" autocomplete="off" maxLength={300} />
        </label>
        <label>
          Id <input name="order" autocomplete="off" maxLength={300} />
        </label>
        <label>
          Customer <input name="customer" autocomplete="off" maxLength={300} />
        </label>
        <label>
          Given up{" "}
          <select name="since">
            {Object.entries(ages).map(([age, label]) => (
              <option key={age} value={age}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" disabled={busy.value}>
          List dead letters
        </button>
      </form>
      <div role="status">
        {busy.value && <p class="quiet">Reading …</p>}
        {trouble.value && <p class="failed">{trouble.value}</p>}
        {found && (
          <p>
            {found.count === 0
              ? "There are none."
              : `${count(found.count)} dead ${found.count === 1 ? "letter" : "letters"}`}
            {found.letters.length < found.count && `; the newest ${found.letters.length} are below`}
          </p>
        )}
      </div>
      {found && found.count > 0 && <Found found={found} />}
      <Plan />
      <Progress />
      {opened.value && (
        <OneLetter letter={opened.value}>
          <button
            type="button"
            disabled={busy.value}
            onClick={() => opened.value && plan({ letter: placeOf(opened.value) })}
          >
            Plan to send this one again
          </button>
          <button
            type="button"
            onClick={() => {
              opened.value = undefined;
            }}
          >
            Close the letter
          </button>
        </OneLetter>
      )}
    </section>
  );
}

function Found({ found }: { found: LetterList }) {
  const handled = new Set(planned.value?.plan.handled);
  return (
    <>
      <ul class="reasons">
        {found.reasons.map(({ reason, count: times }) => (
          <li key={reason}>
            <b>{count(times)} ×</b> {visible(reason)}
          </li>
        ))}
      </ul>
      <table>
        <thead>
          <tr>
            {["letter", "given up", "customer", "reason", ""].map((head) => (
              <th key={head} scope="col">
                {head || <span class="hidden">if it is sent again</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.letters.map((one) => (
            <Row key={placeOf(one)} one={one} isHandled={handled.has(placeOf(one))} />
          ))}
        </tbody>
      </table>
      <button type="button" disabled={busy.value} onClick={() => plan(filter)}>
        Plan to send {found.count === 1 ? "it" : "these"} again
      </button>
    </>
  );
}

function Row({ one, isHandled }: { one: ListedLetter; isHandled: boolean }) {
  const place = placeOf(one);
  return (
    <tr>
      <th scope="row">
        <button
          type="button"
          class="plain"
          onClick={async () => {
            opened.value = await look<DeadLetter>("/letters/one", { letter: place });
          }}
        >
          {place}
        </button>
      </th>
      <td>
        <time dateTime={one.deadAt}>{moment(Date.parse(one.deadAt))}</time>
      </td>
      <td>{visible(one.customer ?? "–")}</td>
      <td>{visible(one.reason)}</td>
      <td>{isHandled && "no second effect"}</td>
    </tr>
  );
}

function Plan() {
  if (!planned.value) return null;
  const { plan: made, query } = planned.value;
  const { letters, handled, stoppedAt } = made;
  return (
    <div class="plan" role="status">
      <p>
        {query.letter
          ? `Letter ${query.letter}`
          : `${count(letters)} ${letters === 1 ? "letter" : "letters"}`}{" "}
        would be sent to the orders' topic again. {count(handled.length)} of them can have no second effect:
        the ledger has the order. {count(letters - handled.length)} would be handled. The letters stay where
        they are, and repeating it is harmless.
      </p>
      {letters > 0 && !readOnly.value && (
        <button type="button" class="main" onClick={() => send(query)}>
          Send {count(letters)} again
        </button>
      )}
      {stoppedAt && (
        <button type="button" onClick={() => plan({ ...query, after: stoppedAt })}>
          Leave these out and plan the next
        </button>
      )}
    </div>
  );
}

function Progress() {
  const now = redrive.value;
  if (!now) return null;
  const { running, letters, acknowledged, repeated, failed, error } = now;
  return (
    <div class="redrive" role="status">
      <p class={error ? "failed" : ""}>
        {running ? "Sending again: " : "Sent again: "}
        {count(acknowledged)} of {count(letters)} acknowledged
        {repeated > 0 && `, ${count(repeated)} the same record as another`}
        {failed > 0 && `, ${count(failed)} failed`}
        {error && `: ${visible(error)}`}
      </p>
      <progress
        max={letters}
        value={acknowledged + repeated + failed}
        aria-label="Letters that are sent again"
      />
    </div>
  );
}

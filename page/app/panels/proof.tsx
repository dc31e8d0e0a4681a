/** What a proof found, as its file has it: what broke the promise, what each fault did, who was away, and the words. */
import { visible } from "../../../kit/visible.ts";
import type { Cell, ProofView, TableView } from "../../recording.ts";
import { clock, count } from "../format.ts";
import { Words } from "../words.tsx";

export function ProofPanel({ proof }: { proof: ProofView }) {
  return (
    <section class="panel found" aria-labelledby="found-title">
      <h2 id="found-title">What was found</h2>
      {proof.faults.length > 0 && (
        <ul class="failed">
          {proof.faults.map((fault) => (
            <li key={fault}>{visible(fault)}</li>
          ))}
        </ul>
      )}
      <p class="quiet">
        {Object.entries(proof.figures)
          .map(([name, value]) => `${name} ${count(value)}`)
          .join(" · ")}
      </p>
      {proof.tables.map((table) => (
        <Table key={table.title} table={table} />
      ))}
      <Words of="What the words mean" words={proof.words} />
    </section>
  );
}

const textOf = (cell: Cell): string =>
  typeof cell === "string" ? visible(cell) : "bad" in cell ? visible(cell.bad) : clock(cell.atMs);

function Table({ table: { title, heads, words, rows } }: { table: TableView }) {
  const kindOf = (cell: Cell, column: number) =>
    `${column < words ? "" : "figure"}${typeof cell === "object" && "bad" in cell ? " bad" : ""}`;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard has to reach it
    <div class="wide" tabIndex={0}>
      <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            {heads.map((head, column) => (
              <th key={head} scope="col" class={kindOf(head, column)}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, n) => (
            <tr key={n}>
              {row.map((cell, column) => (
                <td key={heads[column]} class={kindOf(cell, column)}>
                  {textOf(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

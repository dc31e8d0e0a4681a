/** What it costs to find a member that occurs twice: `bun bench/unique-members.ts`, ns an order beside JSON.parse's. */
import { ownCommandLine } from "../kit/arguments.ts";
import { anOrder, longer } from "../src/sample.ts";
import { repeatsMember } from "../src/wire/unique-members.ts";

ownCommandLine("bun bench/unique-members.ts     takes no options", {}, () => undefined);

const documents = [
  { name: "an order", orders: 1, document: anOrder },
  { name: "a longer one", orders: 1, document: longer(anOrder) },
  { name: "100 orders", orders: 100, document: Array.from({ length: 100 }, () => anOrder) },
];
const orders = 500_000;
const copies = 64;
let found = 0;

for (const { name, orders: inEach, document } of documents) {
  const text = JSON.stringify(document);
  const inputs = Array.from({ length: copies }, () => ({
    text,
    bytes: new TextEncoder().encode(text),
    document: JSON.parse(text),
  }));
  const nsAnOrder = (step: (input: (typeof inputs)[number]) => boolean) => {
    const times = orders / inEach;
    const startNs = Bun.nanoseconds();
    for (let n = 0; n < times; n += 1) if (step(inputs[n % copies] as (typeof inputs)[number])) found += 1;
    return Math.round((Bun.nanoseconds() - startNs) / orders);
  };
  for (const round of [1, 2, 3])
    console.log(
      `${name}, round ${round}: ${nsAnOrder(({ bytes, document }) => repeatsMember(bytes, document))} ns, ` +
        `JSON.parse ${nsAnOrder(({ text }) => JSON.parse(text) === undefined)} ns`,
    );
}
if (found > 0) throw new Error("no member occurs twice");

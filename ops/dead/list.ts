/** Shows dead letters: how many for which reason, the letters themselves, or one of them in full. */
import { visible } from "../../kit/visible.ts";
import type { ReadRecord, TopicReader } from "../read-topic.ts";
import type { LetterPlace } from "./arguments.ts";
import { counted, type Filter, type Letter, letterOf, matches, textHeaders } from "./letters.ts";

const maxReasons = 20;
const reasonWidth = 100;

/** Counts by reason and the newest letters, as text or JSON. */
export async function list(
  reader: TopicReader,
  { filter, limit, json }: { filter: Filter; limit: number; json: boolean },
): Promise<string> {
  const letters: Letter[] = [];
  await reader.read(reader.ranges, (record) => {
    const letter = letterOf(record);
    if (matches(letter, filter)) letters.push(letter);
  });
  letters.sort((a, b) => a.deadAt.localeCompare(b.deadAt));
  const counts = new Map<string, number>();
  for (const { reason } of letters) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const reasons = [...counts].map(([reason, count]) => ({ reason, count }));
  reasons.sort((a, b) => b.count - a.count);
  const newest = letters.slice(-limit);
  if (json) return JSON.stringify({ topic: reader.topic, count: letters.length, reasons, letters: newest });
  if (letters.length === 0) return `${counted(0)} on ${reader.topic}`;
  const more = reasons.length - maxReasons;
  return [
    `${counted(letters.length)} on ${reader.topic}:`,
    ...reasons
      .slice(0, maxReasons)
      .map(({ reason, count }) => `${String(count).padStart(8)}  ${short(reason)}`),
    ...(more > 0 ? [`          and ${more} more reasons`] : []),
    "",
    ...table([
      ["LETTER", "GIVEN UP", "SOURCE", "ATTEMPTS", "ORDER", "CUSTOMER", "REASON"],
      ...newest.map(row),
    ]),
    ...(newest.length < letters.length
      ? [`the newest ${newest.length} of ${letters.length}; --limit shows more`]
      : []),
  ].join("\n");
}

/** One letter in full. @throws Error when nothing lies there */
export async function show(
  reader: TopicReader,
  { place, json }: { place: LetterPlace; json: boolean },
): Promise<string> {
  const record = await recordAt(reader, place);
  const letter = letterOf(record);
  const headers = textHeaders(record);
  const value = record.value?.toString() ?? null;
  const key = record.key?.toString() ?? null;
  if (json) {
    const valueBase64 = record.value?.toString("base64") ?? null;
    return JSON.stringify({ ...letter, key, headers: Object.fromEntries(headers), value, valueBase64 });
  }
  return [
    ...table([
      ["letter", `${reader.topic} ${letter.partition}/${letter.offset}`],
      ["given up", letter.deadAt],
      ["source", sourceOf(letter)],
      ["order", letter.orderId ?? "-"],
      ["customer", oneLine(letter.customer)],
      ["attempts", String(letter.attempts ?? "-")],
      ["reason", oneLine(letter.reason)],
      ["key", oneLine(key)],
      ...headers.map(([name, text]) => [`header ${oneLine(name)}`, oneLine(text)]),
    ]),
    "",
    visible(value ?? "(no value)"),
  ].join("\n");
}

/** The record at a place of the topic. @throws Error when nothing lies there */
export async function recordAt(reader: TopicReader, { partition, offset }: LetterPlace): Promise<ReadRecord> {
  const range = reader.ranges.find((one) => one.partition === partition);
  const found: ReadRecord[] = [];
  if (range && offset >= range.start && offset < range.end)
    await reader.read([{ partition, start: offset, end: offset + 1 }], (record) => {
      found.push(record);
    });
  if (found[0]) return found[0];
  throw new Error(`nothing lies at ${partition}/${offset} of ${reader.topic}`);
}

const row = (letter: Letter): string[] => [
  `${letter.partition}/${letter.offset}`,
  letter.deadAt,
  sourceOf(letter),
  String(letter.attempts ?? "-"),
  oneLine(letter.orderId),
  oneLine(letter.customer),
  short(letter.reason),
];

const sourceOf = ({ source }: Letter): string =>
  source ? `${oneLine(source.topic)} ${source.partition}/${source.offset}` : "-";

const oneLine = (text: string | null): string =>
  text === null ? "-" : visible(text).replace(/[\n\t]/g, " ");
const short = (text: string): string =>
  text.length > reasonWidth ? `${oneLine(text.slice(0, reasonWidth))}…` : oneLine(text);

function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

// The end of a log is lost on every replica, as when all brokers lose power before anything was flushed: all are killed,
// the newest part of one partition is cut off, and they come back. What was cut is destroyed, and no system could handle
// it any more; the offsets are given out a second time, and everything behind the cut is to be handled.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Container } from "../../infra/topology.ts";
import { must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import { tierOf } from "../system/system.ts";
import { each, type Fault, inVolumesOf, startAgain } from "./fault.ts";

const partition = 0;
const folder = `/var/lib/kafka/data/orders-${partition}`;
/** Of the newest segment; the rest of it is cut. */
const keptShare = 0.7;
const callLimitMs = 60_000;

export const truncate: Fault = {
  what: "kills all brokers and cuts the end off a partition's log on each",
  inject: async ({ topology, containers }, targets, { cut }) => {
    const other = targets.find((one) => tierOf(one) !== "broker");
    if (other) throw new UserError(`${other.name} has no log that could be cut.`);
    if (targets.length < (await containers("broker")).length)
      throw new UserError("A log that is cut on some brokers only is mended by the others.");
    await each(targets, (one) => topology.kill(one));
    const logs = await Promise.all(targets.map(newestLog));
    const whole = logs[0]?.batches ?? [];
    const from = whole[Math.floor(keptShare * whole.length)]?.baseOffset;
    const end = Math.max(...logs.map(({ batches }) => batches.at(-1)?.nextOffset ?? 0));
    if (from === undefined || end <= from) throw new UserError(`${folder} holds too little to be cut.`);
    await Promise.all(logs.map((log) => cutAt(log, from)));
    cut?.({ atMs: Date.now(), partition, from, records: end - from });
    return `${end - from} records are cut off partition ${partition}, from offset ${from}`;
  },
  heal: startAgain,
};

type Batch = { at: number; baseOffset: number; nextOffset: number };
type Log = { container: Container; path: string; batches: Batch[] };

async function newestLog(container: Container): Promise<Log> {
  const path = await inVolumesOf(container, ["bash", "-c", `ls ${folder}/*.log | tail -n 1`]);
  const scratch = mkdtempSync(join(tmpdir(), "coffee-orders-log-"));
  try {
    const copy = join(scratch, "segment");
    await must(["docker", "cp", `${container.id}:${path}`, copy], { limitMs: callLimitMs });
    return { container, path, batches: batchesIn(Buffer.from(await Bun.file(copy).arrayBuffer())) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The record batches of a segment, whole ones only. Source: Kafka's message format, version 2. */
function batchesIn(segment: Buffer): Batch[] {
  const found: Batch[] = [];
  for (let at = 0; at + 61 <= segment.length; ) {
    const baseOffset = Number(segment.readBigInt64BE(at));
    const bytes = 12 + segment.readInt32BE(at + 8);
    if (bytes < 61 || at + bytes > segment.length) break;
    found.push({ at, baseOffset, nextOffset: baseOffset + segment.readInt32BE(at + 23) + 1 });
    at += bytes;
  }
  return found;
}

async function cutAt(log: Log, from: number): Promise<void> {
  const batch = log.batches.find(({ nextOffset }) => nextOffset > from);
  if (batch) await inVolumesOf(log.container, ["truncate", "-s", String(batch.at), log.path]);
}

/**
 * Takes a producer's delivery reports out of librdkafka many at a time, by the number that each record was sent with:
 * native/reports.cc gathers them, and no object is made of one on the way.
 */
import { CString, dlopen, FFIType, type Pointer } from "bun:ffi";
import { library } from "./addon.ts";
import { present } from "./admin.ts";

const { ptr: pointer, i32, u64, void: nothing } = FFIType;

const open = () =>
  dlopen(library, {
    coffee_orders_collect_reports: { args: [pointer], returns: nothing },
    coffee_orders_poll_reports: { args: [pointer, pointer, u64], returns: u64 },
    coffee_orders_forget_reports: { args: [pointer], returns: nothing },
    rd_kafka_err2str: { args: [i32], returns: pointer },
  }).symbols;
let opened: ReturnType<typeof open> | undefined;

/** A delivery report: no error means acknowledged by all in-sync replicas. */
export type Report = {
  error: string | undefined;
  /** The same as rd_kafka_resp_err_t; 0: none. */
  code: number;
  partition: number;
  /** None where a broker recognised the record as a repetition, which is acknowledged too. */
  offset: number | undefined;
};

/** Of a report in native/reports.cc: two doubles and two 32-bit numbers. */
const reportDoubles = 3;
const reportWords = 6;
const atOnce = 4_096;

export type Reports = ReturnType<typeof openReports>;

/**
 * @param client of librdkafka's, which must outlive what is opened here
 * @param onReport called for each record, with the number that it was sent with
 */
export function openReports(client: Pointer, onReport: (tag: number, report: Report) => void) {
  opened ??= open();
  const api = opened;
  const doubles = new Float64Array(atOnce * reportDoubles);
  const words = new Int32Array(doubles.buffer);
  api.coffee_orders_collect_reports(client);

  /** One number for all that went well. */
  const errorOf = (code: number): string | undefined =>
    code === 0 ? undefined : new CString(present(api.rd_kafka_err2str(code), "error")).toString();

  return {
    /** Serves whatever the client has to say, and hands on every report that there is. */
    poll(): void {
      let count: number;
      do {
        count = Number(api.coffee_orders_poll_reports(client, doubles, BigInt(atOnce)));
        for (let n = 0; n < count; n += 1) {
          const tag = doubles[n * reportDoubles] as number;
          const offset = doubles[n * reportDoubles + 1] as number;
          const code = words[n * reportWords + 5] as number;
          onReport(tag, {
            error: errorOf(code),
            code,
            partition: words[n * reportWords + 4] as number,
            offset: offset >= 0 ? offset : undefined,
          });
        }
      } while (count === atOnce);
    },
    /** Before the client is disconnected: nothing is handed on after that. */
    close(): void {
      api.coffee_orders_forget_reports(client);
    },
  };
}

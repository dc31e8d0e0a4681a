/** Takes a producer's delivery reports out of librdkafka many at a time, as numbers that native/reports.cc gathers. */
import type { Pointer } from "bun:ffi";
import { errorText, rdkafka } from "./ffi.ts";

/** No error: acknowledged by all in-sync replicas, at this offset. `code` is the same as rd_kafka_resp_err_t; 0: none of them. */
export type Report = {
  error: string | undefined;
  code: number;
  partition: number;
  offset: number | undefined;
};

/** Without an offset it is librdkafka's conclusion, which is wrong where a broker has no state of a producer: it takes any batch. */
const concluded = "a later record was acknowledged, and not this one";
/** Of a report in native/reports.cc: two doubles and two 32-bit numbers. */
const [reportDoubles, reportWords] = [3, 6];
const atOnce = 4_096;

/** @param onReport called for each record, with the number that it was sent with */
export function openReports(client: Pointer, onReport: (tag: number, report: Report) => void) {
  const doubles = new Float64Array(atOnce * reportDoubles);
  const words = new Int32Array(doubles.buffer);
  rdkafka.coffee_orders_collect_reports(client);
  return {
    /** Serves whatever the client has to say, and hands on every report that there is. */
    poll(): void {
      let count: number;
      do {
        count = Number(rdkafka.coffee_orders_poll_reports(client, doubles, atOnce));
        for (let n = 0; n < count; n += 1) {
          const offset = doubles[n * reportDoubles + 1] as number;
          const code = words[n * reportWords + 5] as number;
          onReport(doubles[n * reportDoubles] as number, {
            error: code !== 0 ? errorText(code) : offset < 0 ? concluded : undefined,
            code,
            partition: words[n * reportWords + 4] as number,
            offset: offset >= 0 ? offset : undefined,
          });
        }
      } while (count === atOnce);
    },
    /** Nothing is handed on after that. */
    close: (): void => rdkafka.coffee_orders_forget_reports(client),
  };
}

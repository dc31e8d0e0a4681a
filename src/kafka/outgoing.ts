/** What is handed to Kafka: a record on its way out. */

/** Headers are name and value pairs, a pair an object. */
export type RecordHeaders = Record<string, string | Buffer | null>[];

export type OutgoingRecord = {
  topic: string;
  partition: number;
  key: string | Buffer | null;
  value: string | Buffer | null;
  headers: RecordHeaders;
  /** Milliseconds since the epoch; none: now. */
  timestampMs?: number;
  /** Headers before those, which one array gives to many records: encoded once, for 0.2 µs less a record. */
  sharedHeaders?: RecordHeaders;
};

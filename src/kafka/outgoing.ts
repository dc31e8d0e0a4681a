/** What is handed to Kafka: a record on its way out. */

/** Headers are name and value pairs, a pair an object. */
export type RecordHeaders = Record<string, string | Buffer | null>[];

/** One record to be sent. */
export type OutgoingRecord = {
  topic: string;
  partition: number;
  key: string | Buffer | null;
  value: string | Buffer | null;
  headers: RecordHeaders;
  /** Milliseconds since the epoch; none: now. */
  timestampMs?: number;
  /** Headers before those, which one array gives to many records: encoded only once. */
  sharedHeaders?: RecordHeaders;
};

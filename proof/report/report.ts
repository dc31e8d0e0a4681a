/** The report of a run: one HTML page that needs nothing else, and JSON for machines. */
import { join } from "node:path";
import { documentOf } from "../../page/document.ts";
import { recordingOf } from "./recording.ts";
import type { Run } from "./run.ts";

/** Where the report was written. */
export type WrittenReport = { htmlPath: string; jsonPath: string };

/** Writes report.html and report.json into a folder, which is made where it is missing. */
export async function writeReport(run: Run, folder: string): Promise<WrittenReport> {
  const [htmlPath, jsonPath] = [join(folder, "report.html"), join(folder, "report.json")];
  const { seed, events, verdict, measures } = run;
  // First what needs no bundler.
  await Bun.write(jsonPath, JSON.stringify({ seed, verdict, measures, events }, null, 2));
  await Bun.write(htmlPath, await documentOf(recordingOf(run)));
  return { htmlPath, jsonPath };
}

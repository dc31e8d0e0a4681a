// Changes in others' code before it is compiled.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../kit/user-error.ts";

/** A passage, which the file has once, and what stands in its place. */
export type Mend = { file: string; wrong: string; right: string };

/** @throws UserError where a file does not have the passage once: it is of another version */
export function mendAll(tree: string, mends: readonly Mend[], title: string): void {
  for (const { file, wrong, right } of mends) {
    const [before, after, ...others] = readFileSync(join(tree, file), "utf8").split(wrong);
    if (before === undefined || after === undefined || others.length > 0)
      throw new UserError(`${title}: ${file} is not as expected; see what is mended in native/.`);
    writeFileSync(join(tree, file), before + right + after);
  }
}

// The secrets of the topology as containers see them, by their files' names.
import { readFileSync, writeFileSync } from "node:fs";
import { secretPath } from "../../../infra/secure/names.ts";

export const readSecret = (name: string): string => readFileSync(secretPath(name), "utf8");
/** In place: a file that is replaced is another one to a container. */
export const writeSecret = (name: string, text: string): void => writeFileSync(secretPath(name), text);

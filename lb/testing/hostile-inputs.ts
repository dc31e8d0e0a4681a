/** Every hostile input, kind by kind. */

import { batches } from "./hostile/batches.ts";
import type { Case } from "./hostile/bytes.ts";
import { connections } from "./hostile/connections.ts";
import { contents } from "./hostile/contents.ts";
import { framing } from "./hostile/framing.ts";
import { heads } from "./hostile/heads.ts";
import { keys } from "./hostile/keys.ts";
import { methods } from "./hostile/methods.ts";
import { targets } from "./hostile/targets.ts";
import { transferCodings } from "./hostile/transfer-codings.ts";
import { upgrades } from "./hostile/upgrades.ts";
import { versions } from "./hostile/versions.ts";

export const hostileInputs: readonly Case[] = [
  ...framing,
  ...transferCodings,
  ...versions,
  ...methods,
  ...upgrades,
  ...heads,
  ...targets,
  ...connections,
  ...contents,
  ...keys,
  ...batches,
];

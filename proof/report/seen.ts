/** An order as the report looks at it: what its client was told, and when it was handled. */
import type { ClientAnswer } from "../history/history.ts";

/** `handledAtMs` is undefined where it was not. */
export type SeenOrder = ClientAnswer & { handledAtMs: number | undefined };

// The control run: nothing happens, and what is measured is what the system does when left alone.
import type { Fault } from "./fault.ts";

export const none: Fault = {
  what: "does nothing: the control",
  inject: async () => undefined,
  heal: async () => {},
};

/** Why the demo can't go on, in words for the person who started it. */
export class DemoError extends Error {
  override name = "DemoError";
}

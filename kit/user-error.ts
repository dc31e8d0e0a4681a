/** A command can't go on, and the message is all there is to say to whoever started it: no stack. */
export class UserError extends Error {
  override name = "UserError";
}

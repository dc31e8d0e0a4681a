/** Why something was not done, for the person who wanted it. */
export class Refused extends Error {
  override name = "Refused";
}

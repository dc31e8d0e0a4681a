// What an image was made of, kept on the image as a label: one of the project's own images is rebuilt exactly when
// that differs, and costs nothing to check otherwise. An official image has no such label and is left alone.
import { capture } from "../../kit/capture.ts";

const label = "coffee-orders.recipe";

/** The option of `docker build` that marks an image. */
export function markedAs(recipe: string): string[] {
  return ["--label", `${label}=${recipe}`];
}

/** The same as an instruction, for `docker import`. */
export function markingInstruction(recipe: string): string {
  return `LABEL ${label}=${recipe}`;
}

/** The image's recipe; "" for one that is not the project's own; undefined where there is no such image. */
export async function recipeOf(image: string): Promise<string | undefined> {
  const format = `{{with .Config.Labels}}{{with index . "${label}"}}{{.}}{{end}}{{end}}`;
  const { code, stdout } = await capture(["docker", "image", "inspect", "--format", format, image], {
    limitMs: 30_000,
  });
  return code === 0 ? stdout.trim() : undefined;
}

/** A digest of texts, and of files below `root` with their names, the same in every clone. */
export async function digest(parts: string[], root = "", files: string[] = []): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of parts) hasher.update(`${part}\0`);
  for (const file of files.toSorted()) {
    hasher.update(`${file}\0`);
    hasher.update(await Bun.file(`${root}/${file}`).bytes());
  }
  return hasher.digest("hex").slice(0, 16);
}

/** The project as whoever takes it over has it: a copy of the tree with an example in its place. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
const examples = join(root, "examples");

/**
 * Makes such a tree, which goes with its scope.
 * @param example a handler, copied over src/handle.ts; or a folder of all three files, copied into src/
 * @param edit what the adopter changes in a handler
 */
export function takeOver(example: string, edit = (text: string) => text) {
  const tree = mkdtempSync(join(tmpdir(), "coffee-orders-example-"));
  const src = join(tree, "src");
  const copied = (name: string) => name === ".dockerignore" || (!name.startsWith(".") && name !== "out");
  for (const part of readdirSync(root).filter(copied))
    if (part === "node_modules") symlinkSync(join(root, part), join(tree, part));
    else
      cpSync(join(root, part), join(tree, part), {
        recursive: true,
        filter: (path) => !path.slice(root.length).includes("/node_modules"),
      });
  if (example.endsWith(".ts")) {
    const text = readFileSync(join(examples, example), "utf8").replaceAll("../src/", "./");
    writeFileSync(join(src, "handle.ts"), edit(text));
  } else {
    for (const file of readdirSync(join(examples, example)))
      cpSync(join(examples, example, file), join(src, file));
    // What is of the order that was there, as docs/upgrading.md says.
    for (const path of ["src/order.test.ts", "examples"]) rmSync(join(tree, path), { recursive: true });
  }
  return { tree, [Symbol.dispose]: () => rmSync(tree, { recursive: true, force: true }) };
}

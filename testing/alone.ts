/**
 * `bun test` alone runs what needs neither the addon nor any server, in seconds: loaded before the tests (bunfig.toml), this
 * leaves all other files empty. Files that are named run whatever they need, by `bun test ./PATH` and by `make test`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plugin } from "bun";

const root = join(import.meta.dir, "..");
const rooms = /^(src|kit|ops|proof)\//;
/** What starts the tiers, brokers or databases by its own ways; whoever imports from testing/ does. */
const startsMore =
  /^src\/kafka\/|^proof\/(demo|load|simulation|system)\/|^proof\/[^/]+$|^proof\/client\/client|^kit\/child|\/e2e/;
const importsTesting = /from "(\.\.\/)+testing\/(?!entries|overload-)/;

/** Bun hides its arguments from tests; a worker of `--parallel` has its parent's. */
const wordsOf = (process: string | number) =>
  readFileSync(`/proc/${process}/cmdline`, "utf8").split("\0").slice(2);
const own = wordsOf("self");
const words = own.includes("--test-worker") ? wordsOf(process.ppid) : own;

if (!words.some((word) => /^[^-].*\.ts$|^\.\//.test(word))) {
  const files = [...new Bun.Glob("**/*.test.ts").scanSync({ cwd: root })];
  const runs = (file: string) =>
    rooms.test(file) &&
    !startsMore.test(file) &&
    !importsTesting.test(readFileSync(join(root, file), "utf8"));
  const leftOut = files.filter((file) => !file.includes("node_modules/") && !runs(file)).map(RegExp.escape);
  plugin({
    name: "what bun test alone leaves out",
    setup(build) {
      // Only these, since Bun does not watch what it is given by a plugin.
      const filter = new RegExp(`^${RegExp.escape(root)}/(${leftOut.join("|")})$`);
      build.onLoad({ filter }, () => ({ contents: "", loader: "ts" }));
    },
  });
}

/**
 * `bun test` alone runs what needs neither the addon nor any server, in seconds: loaded before the tests (bunfig.toml), this
 * leaves all other files empty. Files that are named run whatever they need, by `bun test ./PATH` and by `make test`.
 */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { plugin } from "bun";

const root = join(import.meta.dir, "..");
const rooms = /^(src|kit|ops|proof)\//;
/** What starts the tiers, brokers or databases by its own ways; whoever imports from testing/ does. */
const startsMore =
  /^src\/kafka\/|^proof\/(demo|load|simulation|system)\/|^proof\/[^/]+$|^proof\/client\/client|^kit\/child|\/e2e/;
const importsTesting = /from "(\.\.\/)+testing\/(?!entries|overload-model)/;

/** Bun hides its arguments from tests; a worker of `--parallel` has its parent's. */
const ofProcess = Bun.env.BUN_TEST_WORKER_ID === undefined ? "self" : process.ppid;
const words = readFileSync(`/proc/${ofProcess}/cmdline`, "utf8").split("\0").slice(2);

if (!words.some((word) => /^[^-].*\.ts$|^\.\//.test(word)))
  plugin({
    name: "what bun test runs alone",
    setup(build) {
      build.onLoad({ filter: /\.test\.ts$/ }, ({ path }) => {
        const file = relative(root, path);
        const text = readFileSync(path, "utf8");
        const runs = rooms.test(file) && !startsMore.test(file) && !importsTesting.test(text);
        return { contents: runs ? text : "", loader: "ts" };
      });
    },
  });

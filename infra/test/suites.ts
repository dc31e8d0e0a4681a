// The suites of `make test`, in the order in which they run. Every test file belongs to exactly one of them.
import { checkout } from "../../kit/checkout.ts";
import { removeBrokers } from "../brokers/compose.ts";
import { openTopology } from "../topology.ts";

/** The Compose project of the end-to-end tests: beside the usual one and those of other checkouts, not in their place. */
export const e2eProject = `coffee-orders-e2e-${checkout}`;

export interface Suite {
  name: string;
  what: string;
  /** Far above what it takes: it ends what hangs, and no starved machine. */
  limitMinutes: number;
  /** Whole commands, each of which counts as a test. */
  commands?: Record<string, string[]>;
  /** The test files of it, by their path. */
  files?: RegExp;
  /** So many of them run side by side, each in a process of its own: they mostly wait, and share nothing. */
  filesAtOnce?: number;
  /** Runs on containers, so needs a Docker daemon. */
  onContainers?: boolean;
  /** Removes what its tests would leave behind if they were ended before they could. */
  cleanUp?(): Promise<unknown>;
}

export const suites: Suite[] = [
  {
    name: "check",
    what: "format, lint, types",
    limitMinutes: 8,
    commands: {
      "format and lint": ["node_modules/.bin/biome", "check", "--error-on-warnings", "."],
      types: ["node_modules/.bin/tsc", "--noEmit"],
      "types of the page": ["node_modules/.bin/tsc", "--noEmit", "-p", "page/app"],
    },
  },
  {
    name: "unit",
    what: "units, on the mock cluster where they need Kafka",
    limitMinutes: 24,
    files: /^(src|native|examples)\/(?!e2e)/,
    filesAtOnce: 4,
  },
  {
    name: "lb",
    what: "real HAProxy before real producers",
    limitMinutes: 15,
    files: /^lb\/(?!slow-bodies|overload)/,
    filesAtOnce: 3,
  },
  // One after the other: how others fare beside them is what they measure.
  { name: "crowds", what: "too much for the edge", limitMinutes: 10, files: /^lb\/(slow-bodies|overload)/ },
  { name: "load", what: "the load and its record", limitMinutes: 6, files: /^proof\/(client|load)\/(?!e2e)/ },
  {
    name: "chaos",
    what: "faults, and the verdict that they leave",
    limitMinutes: 10,
    files: /^proof\/(?!(client|load|demo)\/|e2e)/,
    filesAtOnce: 2,
  },
  {
    name: "infra",
    what: "set-up, commands, the demo, the tree itself",
    limitMinutes: 15,
    files: /^(infra|kit|ops|proof\/demo)\/(?!e2e)/,
    filesAtOnce: 3,
  },
  {
    name: "stage",
    what: "the page in a browser, live before the embedded pipeline and from a file",
    limitMinutes: 10,
    filesAtOnce: 2,
    files: /^(page|stage)\/(?!e2e)/,
  },
  {
    name: "bench",
    what: "the benchmarks work: as many orders appended as accepted",
    limitMinutes: 22,
    files: /^bench\//,
    onContainers: true,
    cleanUp: removeBrokers,
  },
  {
    name: "e2e",
    what: "the topology on containers",
    limitMinutes: 45,
    files: /^(examples|infra|ops|proof(\/load)?|stage)\/e2e/,
    onContainers: true,
    cleanUp: () =>
      // The secured one has all networks of the usual one, and more.
      Promise.all([
        openTopology({ project: e2eProject, env: { SECURE: "1" } }).down({ volumes: true, atOnce: true }),
        removeBrokers(),
      ]),
  },
];

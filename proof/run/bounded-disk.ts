// A disk of its own for the first broker, small enough to be filled: in memory, so that nothing but what it holds can
// be filled with it, and mounted outside of the container, so that it outlives the broker. It takes root.
import { mkdirSync, rmdirSync, rmSync } from "node:fs";
import { must } from "../../kit/capture.ts";
import { cachePath, type Machine } from "../../kit/machine.ts";
import { UserError } from "../../kit/user-error.ts";

/** Above what the empty topics take, and well below what a short run writes at a few hundred orders a second. */
const size = "1g";
const callLimitMs = 10_000;

export interface BoundedDisk {
  /** A compose file that gives it to the broker. */
  override: string;
  remove(): Promise<void>;
}

/** @throws UserError when we may not mount */
export async function boundedDisk(machine: Machine, project: string): Promise<BoundedDisk> {
  if (!machine.root) throw new UserError("A disk that can be filled takes root, to be mounted.");
  const folder = cachePath(machine, "disks", project);
  const override = `${folder}.yaml`;
  const remove = async () => {
    await must(["umount", folder], { limitMs: callLimitMs });
    rmdirSync(folder);
    rmSync(override);
  };
  mkdirSync(folder, { recursive: true });
  // What an interrupted run left.
  if (await isMounted(folder)) await must(["umount", folder], { limitMs: callLimitMs });
  await must(["mount", "-t", "tmpfs", "-o", `size=${size},mode=0777`, "tmpfs", folder], {
    limitMs: callLimitMs,
  });
  const volume = { driver: "local", driver_opts: { type: "none", o: "bind", device: folder } };
  await Bun.write(override, JSON.stringify({ volumes: { kafka1: volume } }));
  return { override, remove };
}

async function isMounted(folder: string): Promise<boolean> {
  const mounts = await Bun.file("/proc/self/mounts").text();
  return mounts.split("\n").some((line) => line.split(" ")[1] === folder);
}

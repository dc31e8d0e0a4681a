// `docker compose up` at the root starts what `make up` does, with the images that it found or made.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { must } from "../kit/capture.ts";

test("the root's compose.yaml is that of infra/", async () => {
  const config = async (file: string) => {
    const argv = ["docker", "compose", "-f", join(import.meta.dir, file), "config", "--format", "json"];
    const { name, services, networks, volumes } = JSON.parse(await must(argv, { limitMs: 30_000 }));
    return { name, services, networks, volumes };
  };
  expect(await config("../compose.yaml")).toEqual(await config("compose.yaml"));
});

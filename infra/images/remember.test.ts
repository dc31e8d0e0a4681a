import { expect, test } from "bun:test";
import { join } from "node:path";
import { bareMachine } from "../../kit/testing/bare-machine.ts";
import { remember } from "./remember.ts";

test("a stand-in's name is set for Compose, and the user's own lines stay", async () => {
  using machine = bareMachine();
  const path = join(machine.folder, ".env");
  await Bun.write(path, "LB_PORT=9090\nHAPROXY_IMAGE=haproxy:2.6.1\n");
  await remember(machine, "HAPROXY_IMAGE", "haproxy:2.6.12", path);
  await remember(machine, "POSTGRES_IMAGE", "postgres:15.3", path);
  expect(await Bun.file(path).text()).toBe(
    "LB_PORT=9090\nHAPROXY_IMAGE=haproxy:2.6.12\nPOSTGRES_IMAGE=postgres:15.3\n",
  );
});

test("what the environment asks for is not overruled behind the user's back", async () => {
  using machine = bareMachine();
  machine.env.HAPROXY_IMAGE = "haproxy:3.0.5";
  const path = join(machine.folder, ".env");
  await expect(remember(machine, "HAPROXY_IMAGE", "haproxy:2.6.12", path)).rejects.toThrow("unset it");
  expect(await Bun.file(path).exists()).toBe(false);
});

// Where a stand-in's version is not the one that compose.yaml names by default, infra/.env tells Compose so: the file
// that it reads by itself, also when typed by hand. Every other line of it is the user's and stays.
import { join } from "node:path";
import type { Machine } from "../../kit/machine.ts";
import { UserError } from "../../kit/user-error.ts";

const usual = join(import.meta.dir, "..", ".env");

/** Sets a variable for this machine's Compose; what the environment says is not overruled. */
export async function remember(
  machine: Machine,
  variable: string,
  value: string,
  path = usual,
): Promise<void> {
  if (machine.env[variable] !== undefined) {
    throw new UserError(
      `${variable}=${machine.env[variable]}, but no registry answers and packages give ${value}: unset it.`,
    );
  }
  const file = Bun.file(path);
  const lines = (await file.exists()) ? (await file.text()).trimEnd().split("\n") : [];
  const others = lines.filter((line) => !line.startsWith(`${variable}=`));
  await Bun.write(file, `${[...others, `${variable}=${value}`].join("\n")}\n`);
}

/** `bun run client:types`: writes the interface's document for client generators, and from it the types of examples/client.ts. */
import { join } from "node:path";
import { openApi } from "../src/http/openapi.ts";

const generator = "openapi-typescript@7.13.0";
const [document, types] = ["client-api.json", "client-api.d.ts"].map((name) => join(import.meta.dir, name));

await Bun.write(document as string, `${JSON.stringify(openApi(), null, 2)}\n`);
// Not a dependency: it needs a TypeScript of its own, before 7.
const child = Bun.spawn([process.execPath, "x", generator, document as string, "-o", types as string], {
  stdio: ["ignore", "inherit", "inherit"],
});
process.exitCode = await child.exited;

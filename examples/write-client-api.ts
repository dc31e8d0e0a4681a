/** `bun run client:types`: writes the document that the tiers serve, and from it the types of examples/client.ts. */
import { join } from "node:path";
import { describeApi } from "./describe-api.ts";

if (Bun.argv.length > 2) {
  console.error("bun run client:types     takes no options");
  process.exit(Bun.argv[2] === "--help" ? 0 : 2);
}

const generator = "openapi-typescript@7.13.0";
const document = join(import.meta.dir, "../src/http/openapi.json");
const types = join(import.meta.dir, "client-api.d.ts");

await Bun.write(document, `${JSON.stringify(describeApi(), null, 2)}\n`);
// Not a dependency: it needs a TypeScript of its own, before 7.
const child = Bun.spawn([process.execPath, "x", generator, document, "-o", types], {
  stdio: ["ignore", "inherit", "inherit"],
});
process.exitCode = await child.exited;

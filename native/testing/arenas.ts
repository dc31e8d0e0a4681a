// Prints how many arenas malloc has, before there is a client and when one works. `bun native/testing/arenas.ts BOOTSTRAP`
import { dlopen, FFIType, type Pointer } from "bun:ffi";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Producer } from "node-rdkafka";

const { ptr, i32, cstring } = FFIType;
const libc = dlopen("libc.so.6", {
  fopen: { args: [cstring, cstring], returns: ptr },
  malloc_info: { args: [i32, ptr], returns: i32 },
  fclose: { args: [ptr], returns: i32 },
}).symbols;

async function arenas(): Promise<number> {
  const path = join(tmpdir(), `malloc-info-${process.pid}`);
  const file = libc.fopen(Buffer.from(`${path}\0`), Buffer.from("w\0")) as Pointer;
  libc.malloc_info(0, file);
  libc.fclose(file);
  const found = (await Bun.file(path).text()).match(/<heap nr=/g);
  rmSync(path);
  return found?.length ?? 0;
}

const [, , bootstrap = ""] = Bun.argv;
const before = await arenas();
const producer = new Producer({ "bootstrap.servers": bootstrap });
await new Promise<void>((ok, fail) => producer.connect({}, (error: unknown) => (error ? fail(error) : ok())));
console.log(JSON.stringify({ before, working: await arenas() }));
process.exit(0);

// What the native addon is made of beside packages: librdkafka with the code of others in it, and the libraries of the
// system that it is linked to, each with the Debian package that it came in.
import { realpath } from "node:fs/promises";
import { capture, must } from "../../kit/capture.ts";
import { versions } from "../../native/versions.ts";
import type { Component } from "./bill.ts";

const LIMIT_MS = 30_000;

/** Whose code librdkafka has in its own tree and compiles: its LICENSES.txt. */
const within: Record<string, string> = {
  cJSON: "MIT",
  crc32c: "Zlib",
  fnv1a: "LicenseRef-public-domain",
  hdrhistogram: "MIT",
  lz4: "BSD-2-Clause",
  murmur2: "MIT",
  nanopb: "Zlib",
  opentelemetry: "Apache-2.0",
  pycrc: "MIT",
  queue: "BSD-3-Clause",
  regexp: "LicenseRef-public-domain",
  snappy: "BSD-3-Clause",
  tinycthread: "Zlib",
};

/** librdkafka, as it was fetched and what was done to it. @param source the package that it lay in */
export function librdkafkaOf(source: Component): Component {
  const version = versions.librdkafka;
  return {
    type: "library",
    name: "librdkafka",
    version,
    purl: `pkg:github/confluentinc/librdkafka@v${version}`,
    licenses: [{ expression: "BSD-2-Clause" }],
    pedigree: { notes: `From ${source.purl}, changed as native/mends/librdkafka.ts has it.` },
    components: Object.entries(within).map(([name, expression]) => ({
      type: "library",
      name,
      licenses: [{ expression }],
    })),
  };
}

/** The libraries that a program or addon is linked to on this machine; where dpkg is not there, by their names alone. */
export async function linkedTo(file: string): Promise<Component[]> {
  const said = await must(["ldd", file], { limitMs: LIMIT_MS });
  const libraries = [...said.matchAll(/(\S+) => (\/\S+) \(/g)];
  const found = await Promise.all(libraries.map(([, name = "", path = ""]) => packageOf(name, path)));
  return [...new Map(found.map((one) => [one.purl ?? one.name, one])).values()];
}

async function packageOf(name: string, path: string): Promise<Component> {
  // Where /lib is a link to /usr/lib, dpkg knows a file by the path of its package alone.
  const ways = [path, `/usr${path}`, await realpath(path)];
  const owner = (await capture(["dpkg-query", "-S", ...ways], { limitMs: LIMIT_MS })).stdout.split(": ")[0];
  if (!owner) return { type: "library", name };
  const format = "$" + "{Package} $" + "{Version} $" + "{Architecture}";
  const shown = await must(["dpkg-query", "-W", "-f", format, owner], { limitMs: LIMIT_MS });
  const [deb = "", version = "", arch] = shown.split(" ");
  const os = await Bun.file("/etc/os-release").text();
  const [id, release] = ["ID", "VERSION_ID"].map(
    (key) => new RegExp(`^${key}="?([\\w.]+)`, "m").exec(os)?.[1],
  );
  const place = `arch=${arch}&distro=${id}-${release}`;
  return {
    type: "library",
    name: deb,
    version,
    purl: `pkg:deb/${id}/${deb}@${encodeURIComponent(version)}?${place}`,
  };
}

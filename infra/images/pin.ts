// `bun run images pin`: writes beside the version of each image that is not ours the digest that its registry has for it, so
// that every machine runs the very same bytes. All of them, or, where a registry does not answer, none.
import { join } from "node:path";
import { capture } from "../../kit/capture.ts";
import { type Machine, withTools } from "../../kit/machine.ts";
import { UserError } from "../../kit/user-error.ts";

const LIMIT_MS = 60_000;
const root = join(import.meta.dir, "..", "..");
/** Where their versions are decided. */
const files = ["infra/compose.yaml", "infra/brokers/compose.yaml", "infra/images/app/Dockerfile"];
/** What a variable of an image is by default, ours aside; with the digest that it was pinned to before. */
const named = /(?<=_IMAGE(?::-|=))(?!coffee-orders\/)([^\s}@]+)(@sha256:[0-9a-f]{64})?/g;

/** The image without its digest. */
export const withoutDigest = (image: string): string => image.replace(/@sha256:.*$/, "");

/** Pins them, and says to what. @throws UserError when one has no digest to be had; nothing is changed then */
export async function pin(machine: Machine, folder = root): Promise<void> {
  const texts = await Promise.all(files.map((file) => Bun.file(join(folder, file)).text()));
  const images = new Set(texts.flatMap((text) => [...text.matchAll(named)].map(([, image = ""]) => image)));
  const digests = new Map<string, string>();
  for (const image of images) digests.set(image, await digestOf(machine, image));
  for (const [at, file] of files.entries()) {
    const pinned = (texts[at] ?? "").replace(named, (_, image) => `${image}@${digests.get(image)}`);
    await Bun.write(join(folder, file), pinned);
  }
  for (const [image, digest] of digests) machine.say(`${image}  ${digest}`);
}

/** The digest of an image for all architectures that it is made for. */
async function digestOf(machine: Machine, image: string): Promise<string> {
  const argv = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image];
  const { code, stdout, stderr } = await capture(argv, { limitMs: LIMIT_MS, env: withTools(machine) });
  const digest = stdout.trim();
  if (code === 0 && /^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  const why = (stderr.trim() || stdout.trim()).split("\n")[0];
  throw new UserError(
    [
      `No digest of ${image}: ${why}`,
      "Nothing is pinned. It takes Docker with Buildx, on a machine where the registry answers.",
    ].join("\n"),
  );
}

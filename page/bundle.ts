/** The page's files, made whole by Bun's bundler when a stage starts or a file is made: nothing of them comes from elsewhere. */
import { join } from "node:path";

export interface Asset {
  type: string;
  text: string;
}

const folder = join(import.meta.dir, "app");

/** @returns the files by their path; @throws when the page can't be bundled */
export async function bundle(): Promise<Map<string, Asset>> {
  const { outputs } = await Bun.build({
    entrypoints: [join(folder, "main.tsx")],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const html = await Bun.file(join(folder, "index.html")).text();
  const assets = new Map<string, Asset>([["/", { type: "text/html; charset=utf-8", text: html }]]);
  for (const output of outputs) {
    const isStyle = output.path.endsWith(".css");
    const type = isStyle ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
    assets.set(isStyle ? "/stage.css" : "/stage.js", { type, text: await output.text() });
  }
  return assets;
}

/** The page as one file that needs nothing else: its style, its script and what it is fed from are in it. */
import { bundle } from "./bundle.ts";
import type { Recording } from "./recording.ts";

/** @throws when the page can't be bundled; @returns HTML */
export async function documentOf(recording: Recording): Promise<string> {
  const assets = await bundle();
  const [html, style, script] = ["/", "/stage.css", "/stage.js"].map((path) => assets.get(path)?.text ?? "");
  // In a script no text may look like its end; and JSON has no need of the sign.
  const data = JSON.stringify(recording).replaceAll("<", "\\u003c");
  const own = (script as string).replace(/<(?=!--|\/?script)/gi, "\\x3c");
  const policy = `default-src 'none'; script-src ${hashOf(own)}; style-src ${hashOf(style as string)}; img-src data:; base-uri 'none'; form-action 'none'`;
  return new HTMLRewriter()
    .on("meta[charset]", {
      element: (meta) =>
        void meta.after(`<meta http-equiv="Content-Security-Policy" content="${policy}">`, { html: true }),
    })
    .on("title", { element: (title) => void title.setInnerContent(recording.title) })
    .on("link[rel=stylesheet]", {
      element: (link) => void link.replace(`<style>${style}</style>`, { html: true }),
    })
    .on("script", { element: (tag) => void tag.remove() })
    .on("body", {
      element: (body) =>
        void body.append(
          `<script type="application/json" id="recording">${data}</script><script type="module">${own}</script>`,
          { html: true },
        ),
    })
    .transform(html as string);
}

const hashOf = (text: string): string =>
  `'sha256-${new Bun.CryptoHasher("sha256").update(text).digest("base64")}'`;

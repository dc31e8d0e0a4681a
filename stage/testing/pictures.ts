/**
 * Pictures of a stage that runs, for eyes and for README: light, dark and phone. `bun stage/testing/pictures.ts URL FOLDER`,
 * with the link that the stage printed. They are of the page as it is: what shall be seen on them is done before.
 */
import { join } from "node:path";
import { ownCommandLine } from "../../kit/arguments.ts";
import { UserError } from "../../kit/user-error.ts";

const usage = "bun stage/testing/pictures.ts URL [FOLDER]     URL is the link that the stage printed";
const [url, folder] = ownCommandLine(
  usage,
  {},
  (_, [link = "", place = "."]) => {
    if (!URL.canParse(link)) throw new UserError("The link that the stage printed is missing.");
    return [link, place] as const;
  },
  2,
);
// Not before: to load what drives a browser takes seconds.
const { openPage, startBrowser } = await import("./browser.ts");
const settleMs = 4_000;
const pictures = [
  { name: "stage", viewport: { width: 1_280, height: 800 }, colorScheme: "light" },
  { name: "stage-dark", viewport: { width: 1_280, height: 800 }, colorScheme: "dark" },
  { name: "stage-phone", viewport: { width: 390, height: 844 }, colorScheme: "light" },
] as const;

const browser = await startBrowser();
for (const { name, viewport, colorScheme } of pictures) {
  const { page, close } = await openPage(browser, url, { viewport, colorScheme });
  await page.waitForTimeout(settleMs);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: name === "stage-phone" });
  await close();
}
await browser.close();

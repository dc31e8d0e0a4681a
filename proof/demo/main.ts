// The demo with nobody who watches but the terminal: ./command.ts.
import { runCommand } from "./command.ts";

await runCommand();

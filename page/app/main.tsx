/** The entry of the page: it connects, or takes what the file has that it is in, and draws. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { App } from "./app.tsx";
import { connect, show } from "./store.ts";

const recording = document.getElementById("recording");
if (recording) show(JSON.parse(recording.textContent));
else connect();
render(<App />, document.getElementById("stage") as HTMLElement);

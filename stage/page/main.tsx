/** The entry of the page: it connects and draws, and nothing else. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { App } from "./app.tsx";
import { connect } from "./store.ts";

connect();
render(<App />, document.getElementById("stage") as HTMLElement);

/**
 * What flows, drawn on one canvas behind the cards: so many dots a second on each step as orders take it (a dot stands for
 * several where there are many), from and to the instances that take them. Nothing moves where nothing flows: without a dot
 * no frame is drawn. With reduced motion there are lines only, as wide as what flows on them.
 */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { StageState } from "../state.ts";
import { boxesIn, type Curve, curveOf, pointOn, trace } from "./curves.ts";

const travelMs = 900;
/** Of a step; beyond it a dot stands for more orders. */
const mostDotsPerS = 30;
const units = [1, 2, 5, 10, 20, 50, 100];
const radius = 2.6;

interface Line {
  key: string;
  from: string;
  to: string;
  ratePerS: number;
  /** Neither end is out of order. */
  open: boolean;
}
interface Dot {
  /** Its line's, which may lie elsewhere by now. */
  key: string;
  bornMs: number;
}

/** Starts to draw; @returns what ends it. */
export function startFlow(
  canvas: HTMLCanvasElement,
  state: ReadonlySignal<StageState | undefined>,
): () => void {
  const stage = canvas.parentElement as HTMLElement;
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const dots = createDots();
  let curves = new Map<string, Curve>();
  let lines: Line[] = [];
  let unit = 1;
  let frame = 0;

  /** Where everything is: cards move when others come and go. */
  function measure(): void {
    fit(canvas, context, stage);
    // On a narrow page the tiers stand below each other, and a lane lies deep within its card.
    const sideways = getComputedStyle(stage).display === "grid";
    const boxes = boxesIn(stage, sideways);
    curves = new Map();
    for (const { key, from, to } of lines) {
      const [a, b] = [boxes.get(from), boxes.get(to)];
      if (a && b) curves.set(key, curveOf(a, b, sideways));
    }
  }

  function draw(nowMs: number): void {
    frame = 0;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const style = getComputedStyle(stage);
    context.strokeStyle = style.getPropertyValue("--line");
    const wide = still.matches;
    for (const { key, ratePerS, open } of lines) {
      const curve = curves.get(key);
      if (!curve) continue;
      context.lineWidth = wide ? Math.min(6, 1 + Math.log2(1 + ratePerS) / 2) : 1;
      context.setLineDash(open ? [] : [2, 4]);
      trace(context, curve);
    }
    if (wide) return;
    const flowing = lines.filter(({ key, open }) => open && curves.has(key));
    const under = dots.at(nowMs, flowing, unit);
    context.fillStyle = style.getPropertyValue("--flow");
    paint(context, under, curves, nowMs);
    if (under.length > 0 || lines.some(({ ratePerS, open }) => ratePerS > 0 && open)) next();
    else dots.rest();
  }

  const next = () => {
    frame ||= requestAnimationFrame(draw);
  };
  const resized = new ResizeObserver(() => {
    measure();
    next();
  });
  resized.observe(stage);
  const stop = effect(() => {
    const now = state.value;
    if (!now) return;
    lines = linesOf(now);
    unit = unitOf(now);
    // After what the new state draws is there.
    requestAnimationFrame(() => {
      const legend = stage.querySelector("[data-legend]");
      if (legend)
        legend.textContent = still.matches ? "" : `one dot: ${unit === 1 ? "an order" : `${unit} orders`}`;
      measure();
      next();
    });
  });
  return () => {
    stop();
    resized.disconnect();
    cancelAnimationFrame(frame);
  };
}

/** As many pixels as it is shown on. */
function fit(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, stage: HTMLElement): void {
  const { width, height } = stage.getBoundingClientRect();
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
}

/** The dots under way: born as evenly as orders flow, and gone where they arrive. */
function createDots() {
  let dots: Dot[] = [];
  const due = new Map<string, number>();
  let lastMs = 0;
  return {
    /** Those under way at this time, with those that were born since the last one. */
    at(nowMs: number, lines: readonly Line[], unit: number): readonly Dot[] {
      // A page that was hidden begins anew instead of making up for it.
      const elapsedS = lastMs === 0 || nowMs - lastMs > 500 ? 0 : (nowMs - lastMs) / 1_000;
      lastMs = nowMs;
      for (const { key, ratePerS } of lines) {
        const dotsPerS = ratePerS / unit;
        let owed = (due.get(key) ?? Math.random()) + elapsedS * dotsPerS;
        // Born when its turn came, however long the last frame was ago: an even flow looks even.
        for (; owed >= 1; owed -= 1) dots.push({ key, bornMs: nowMs - (1_000 * (owed - 1)) / dotsPerS });
        due.set(key, owed);
      }
      dots = dots.filter(({ bornMs }) => nowMs - bornMs < travelMs);
      return dots;
    },
    /** Nothing is drawn for a while. */
    rest(): void {
      lastMs = 0;
    },
  };
}

function paint(
  context: CanvasRenderingContext2D,
  dots: readonly Dot[],
  curves: ReadonlyMap<string, Curve>,
  nowMs: number,
): void {
  context.beginPath();
  for (const { key, bornMs } of dots) {
    const path = curves.get(key);
    if (!path) continue;
    const [x, y] = pointOn(path, (nowMs - bornMs) / travelMs);
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 7);
  }
  context.fill();
}

/** How many orders a dot stands for. */
function unitOf({ edges }: StageState): number {
  const most = Math.max(...Object.values(edges).map(({ ratePerS }) => ratePerS));
  return units.find((size) => most / size <= mostDotsPerS) ?? 100;
}

/** Every way that an order can take, and how many take it. */
function linesOf({ instances, partitions, edges }: StageState): Line[] {
  const all = Object.entries(instances);
  const of = (tier: string) => all.filter(([, one]) => one.tier === tier).map(([name]) => name);
  const isUp = (name: string) => name === "client" || instances[name]?.state === "up";
  const rateOf = (name: string) => instances[name]?.ratePerS ?? 0;
  const line = (from: string, to: string, ratePerS: number, open: boolean): Line => ({
    key: `${from}>${to}`,
    ...{ from, to, ratePerS, open },
  });
  const [balancer = ""] = of("balancer");
  const [ledger = ""] = of("ledger");
  const taken = of("producer").reduce((sum, name) => sum + rateOf(name), 0);
  return [
    line("client", balancer, edges.placed.ratePerS, isUp(balancer)),
    ...of("producer").map((name) => line(balancer, name, rateOf(name), isUp(name))),
    // A producer's share of what each broker appends: whose order it was, a broker does not tell.
    ...of("producer").flatMap((from) =>
      of("broker").map((to) =>
        line(from, to, taken > 0 ? (rateOf(to) * rateOf(from)) / taken : 0, isUp(from) && isUp(to)),
      ),
    ),
    ...Object.entries(partitions).flatMap(([at, { leader, owner, polledPerS }]) =>
      leader > 0 && owner
        ? [line(`kafka${leader}`, `lane:${at}`, polledPerS, isUp(`kafka${leader}`) && isUp(owner))]
        : [],
    ),
    ...of("consumer").map((name) => line(name, ledger, rateOf(name), isUp(name) && isUp(ledger))),
  ];
}

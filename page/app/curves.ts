/** Where the lines run: curves from card to card, which follow them when others come and go. */

export type Box = { left: number; right: number; top: number; bottom: number; x: number; y: number };
/** Beginning, two points that bend it, end: x and y of each. */
export type Curve = [number, number, number, number, number, number, number, number];

/** Where every card and lane is, by what it stands for. */
export function boxesIn(stage: HTMLElement, sideways: boolean): Map<string, Box> {
  const { left, top } = stage.getBoundingClientRect();
  const boxes = new Map<string, Box>();
  for (const one of stage.querySelectorAll<HTMLElement>("[data-node], [data-lane]")) {
    const at = (sideways ? one : (one.closest(".card") ?? one)).getBoundingClientRect();
    const box = {
      left: at.left - left,
      right: at.right - left,
      top: at.top - top,
      bottom: at.bottom - top,
    };
    const key = one.dataset.node ?? `lane:${one.dataset.lane}`;
    boxes.set(key, { ...box, x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 });
  }
  return boxes;
}

/** From a card's edge to the next one's. */
export function curveOf(a: Box, b: Box, sideways: boolean): Curve {
  if (sideways) {
    const bend = (b.left - a.right) / 2;
    return [a.right, a.y, a.right + bend, a.y, b.left - bend, b.y, b.left, b.y];
  }
  const bend = (b.top - a.bottom) / 2;
  return [a.x, a.bottom, a.x, a.bottom + bend, b.x, b.top - bend, b.x, b.top];
}

export function trace(context: CanvasRenderingContext2D, [x0, y0, x1, y1, x2, y2, x3, y3]: Curve): void {
  context.beginPath();
  context.moveTo(x0, y0);
  context.bezierCurveTo(x1, y1, x2, y2, x3, y3);
  context.stroke();
}

export function pointOn([x0, y0, x1, y1, x2, y2, x3, y3]: Curve, t: number): [number, number] {
  const u = 1 - t;
  const [a, b, c, d] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
  return [a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3];
}

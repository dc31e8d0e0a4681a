// Runs in the reader's browser: the figures of the second under the pointer, in all plots at once.
const { startMs, endMs, left, right, width, names, seconds } = JSON.parse(
  document.getElementById("data").textContent,
);
const here = document.getElementById("here");
const cursors = document.querySelectorAll(".cursor");
const time = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

function show(event) {
  const svg = event.target.closest("svg");
  const second = svg && secondAt(event.clientX, svg.getBoundingClientRect());
  here.hidden = !second;
  for (const cursor of cursors) cursor.style.visibility = second ? "visible" : "hidden";
  if (!second) return;
  const { n, x } = second;
  for (const cursor of cursors) {
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
  }
  const clock = `${Math.floor(n / 60)}:${String(n % 60).padStart(2, "0")}`;
  const values = names.map(([name, isTime], at) => {
    const value = seconds[n][at];
    return value === null ? "" : `${name} ${isTime ? time(value) : value}`;
  });
  here.textContent = [clock, ...values].filter(Boolean).join("\n");
  const beside = event.clientX + 16 + here.offsetWidth > window.innerWidth ? -16 - here.offsetWidth : 16;
  here.style.left = `${event.clientX + beside}px`;
  here.style.top = `${event.clientY + 16}px`;
}

function secondAt(clientX, box) {
  const x = ((clientX - box.left) / box.width) * width;
  const n = Math.floor((((x - left) / (width - left - right)) * (endMs - startMs)) / 1000);
  return n >= 0 && n < seconds.length && { n, x };
}

document.getElementById("plots").addEventListener("pointermove", show);
document.getElementById("plots").addEventListener("pointerleave", show);

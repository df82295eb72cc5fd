// This file holds what everything drawn has in common: colours, patterns, letters. What a
// colour says is always said by a pattern, a sign or a word as well.

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const GLYPHS = ["…", "✓", "✗", "?", "⊘", "–"]; // by outcome
const FAMILY_NAMES = ["actors", "raft", "gossip", "sessions", "attempts", "clients"];

// kindOfFault sorts verbs by what they do to whom they hit.
const kindOfFault = {
  crash: "down", "power-loss": "down", tear: "down", leave: "down", restart: "down", "rolling-restart": "down", upgrade: "down",
  pause: "pause", slow: "pause",
  partition: "cut", clog: "cut",
  skew: "clock", drift: "clock", jump: "clock",
  "disk-full": "disk", "disk-slow": "disk", "disk-error": "disk",
  drop: "noise", duplicate: "noise", delay: "noise", corrupt: "noise", swarm: "noise",
};

class Paint {
  constructor(root) {
    this.root = root;
    this.read();
  }

  // read takes the colours of the style sheet, as light or dark has them.
  read() {
    const style = getComputedStyle(this.root);
    const names = ["bg", "panel", "ink", "soft", "faint", "line", "accent", "leader", "bad", "good",
      "down", "pause", "cut", "clock", "disk", "noise", "other",
      "actors", "raft", "gossip", "sessions", "attempts", "clients",
      "running", "succeeded", "failed", "lost", "cancelled", "skipped"];
    for (const name of names) this[name] = style.getPropertyValue("--" + name).trim();
    this.families = FAMILY_NAMES.map((name) => this[name]);
    this.outcomes = OUTCOMES.map((name) => this[name]);
    this.patterns = new Map();
  }

  faultColour(verb) {
    return this[kindOfFault[verb] || "other"];
  }

  // pattern is a tile of a colour: what it is made of tells kinds apart without the colour.
  pattern(ctx, kind, colour) {
    const key = kind + colour;
    if (!this.patterns.has(key)) this.patterns.set(key, ctx.createPattern(tile(kind, colour), "repeat"));
    return this.patterns.get(key);
  }
}

// strokes are the tiles, 8 by 8: lines from and to, or dots.
const strokes = {
  down: [[0, 8, 8, 0], [-2, 2, 2, -2], [6, 10, 10, 6]],
  pause: [[2, 0, 2, 8], [6, 0, 6, 8]],
  cut: [[0, 4, 3, 4]],
  clock: [[0, 0, 8, 8], [-2, 6, 2, 10], [6, -2, 10, 2]],
  disk: [[0, 2, 8, 2], [0, 6, 8, 6]],
  noise: [[1, 1, 2, 2], [5, 5, 6, 6]],
  other: [[0, 4, 8, 4], [4, 0, 4, 8]],
};

function tile(kind, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 8;
  const ctx = canvas.getContext("2d");
  ctx.strokeStyle = colour;
  ctx.lineWidth = kind === "down" ? 2 : 1.4;
  for (const [x1, y1, x2, y2] of strokes[kind] || strokes.other) {
    ctx.beginPath();
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
    ctx.stroke();
  }
  return canvas;
}

// fit makes a canvas as large as its place, sharp on any screen, and returns its size.
function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const w = Math.round(width * ratio), h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
  return { width, height };
}

function font(ctx, size, weight = 400) {
  ctx.font = `${weight} ${size}px ${FONT}`;
}

// clip cuts a text to a width; "" when nothing of use is left.
function clip(ctx, text, width) {
  if (width < 14) return "";
  if (ctx.measureText(text).width <= width) return text;
  let lo = 0, hi = text.length;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (ctx.measureText(text.slice(0, mid) + "…").width <= width) lo = mid;
    else hi = mid - 1;
  }
  return lo > 1 ? text.slice(0, lo) + "…" : "";
}

// ticks are the moments to write on the axis: round ones, about 110 pixels apart.
function ticks(view) {
  const steps = [];
  for (let s = 1; s <= 1e8; s *= 10) steps.push(s, 2 * s, 5 * s);
  steps.push(15e6, 30e6, 6e7, 12e7, 3e8, 6e8, 18e8, 36e8, 72e8, 216e8, 432e8, 864e8);
  steps.sort((a, b) => a - b);
  const want = view.perPixel() * 110;
  const nice = steps.filter((s) => s < 1e8 ? s <= 1e7 || s % 15e6 === 0 : s % 6e7 === 0);
  const step = nice.find((s) => s >= want) || nice[nice.length - 1];
  const all = [];
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) all.push(t);
  return { step, all };
}

function drawAxis(ctx, view, paint) {
  const { step, all } = ticks(view);
  const digits = step >= 1e6 ? 0 : step >= 1e3 ? 3 : 6;
  ctx.fillStyle = paint.panel;
  ctx.fillRect(0, 0, view.width, AXIS);
  font(ctx, 11);
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  for (const t of all) {
    const x = Math.round(view.x(t)) + 0.5;
    if (x < GUTTER) continue;
    ctx.fillStyle = paint.soft;
    ctx.fillText(clock(t, digits), Math.min(x, view.width - 34), AXIS / 2);
  }
  ctx.textAlign = "left";
  ctx.fillStyle = paint.soft;
  ctx.fillText("virtual time", 12, AXIS / 2);
  line(ctx, 0, AXIS - 0.5, view.width, AXIS - 0.5, paint.line);
}

// drawGrid draws what runs through a canvas from top to bottom: round moments, the heal,
// the evidence, the moment under the pointer.
function drawGrid(ctx, view, paint, top, height) {
  for (const t of ticks(view).all) {
    const x = Math.round(view.x(t)) + 0.5;
    if (x >= GUTTER) line(ctx, x, top, x, height, paint.faint);
  }
  const { run } = view;
  if (run.healed > 0) vertical(ctx, view, run.healed, paint.good, [2, 4], top, height);
}

function drawMoments(ctx, view, paint, top, height) {
  for (const e of view.run.evidence) vertical(ctx, view, e.at, paint.bad, [6, 3], top, height);
  if (view.cursor !== undefined) vertical(ctx, view, view.cursor, paint.soft, [1, 3], top, height);
}

// drawScroll shows at the right edge which part of the rows is in sight, if not all are.
function drawScroll(ctx, view, paint, scroll, all, top, height) {
  const room = height - top;
  if (all <= height + 1) return;
  ctx.fillStyle = paint.soft;
  withAlpha(ctx, 0.45, () => ctx.fillRect(view.width - 6, top + (scroll / all) * room, 5, Math.max(16, (height / all) * room)));
}

function vertical(ctx, view, t, colour, dash, top, height) {
  const x = Math.round(view.x(t)) + 0.5;
  if (x < GUTTER || x > view.width) return;
  ctx.setLineDash(dash);
  line(ctx, x, top, x, height, colour);
  ctx.setLineDash([]);
}

function line(ctx, x1, y1, x2, y2, colour, width = 1) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

// area is the piece of a time on the canvas that lies in the window; null if none does.
function area(view, from, to, least = 2) {
  const end = to < 0 ? view.run.end : to;
  if (from > view.to || end < view.from) return null;
  const x = Math.max(GUTTER, view.x(from));
  const right = Math.min(view.width, Math.max(view.x(end), view.x(from) + least));
  return right > x ? { x, w: right - x, open: from < view.from } : null;
}

// label writes into an area, from its left end, if there is room.
function label(ctx, text, a, y, colour, pad = 5) {
  const shown = clip(ctx, text, a.w - 2 * pad);
  if (!shown) return;
  ctx.fillStyle = colour;
  ctx.fillText(shown, a.x + pad, y);
}

// fitting is the first of some texts that has room in an area; "" when none does.
function fitting(ctx, a, ...texts) {
  return texts.find((text) => ctx.measureText(text).width <= a.w - 10) || "";
}

function withAlpha(ctx, alpha, draw) {
  const before = ctx.globalAlpha;
  ctx.globalAlpha = before * alpha;
  draw();
  ctx.globalAlpha = before;
}

// This file draws messages between lanes, and the chain of causes of what is chosen.

const MANY_ARROWS = 2600; // more are a grey mass, and slow; then how much is sent tells more
const FEW_ARROWS = 300; // over lanes that show no single events
const SLACK = 150_000; // µs: how far beside the window an arrow may begin and still be looked for

class Arrows {
  constructor(run, view, paint) {
    Object.assign(this, { run, view, paint });
    this.drawn = []; // [x1, y1, x2, y2, row], to be found again under the pointer
  }

  draw(ctx, shown, dense) {
    this.drawn.length = 0;
    const seen = new Set(shown.concat(this.view.clients));
    const list = this.inWindow(seen, dense);
    const most = dense ? FEW_ARROWS : MANY_ARROWS;
    const drawn = [list, list.filter((a) => this.run.family[a.row] >= FAMILY.session)].find((some) => some.length <= most) || [];
    const alpha = Math.max(0.22, Math.min(0.9, 260 / Math.max(1, drawn.length)));
    withAlpha(ctx, alpha, () => drawn.forEach((a) => this.arrow(ctx, a, drawn.length)));
    if (drawn.length < 70) drawn.forEach((a) => this.words(ctx, a));
  }

  // inWindow lists the messages of which an end is in the window. Where events had to be
  // counted there may be a hundred thousand: those of raft and gossip are not looked at.
  inWindow(seen, dense) {
    const { run, view } = this;
    const slack = Math.min(SLACK, view.to - view.from);
    const first = run.firstAt(view.from - slack), last = run.firstAt(view.to + slack);
    if (last - first > MANY_EVENTS) return [];
    const list = [];
    for (let row = first; row < last && list.length < 60_000; row++) {
      const family = run.family[row];
      if (!family || !view.families[family] || (dense && family < FAMILY.session && run.kind[row] !== KIND.dropped)) continue;
      const a = this.messageAt(row);
      if (a && seen.has(a.fromLane) && seen.has(a.toLane) && a.to >= view.from && a.from <= view.to) list.push(a);
    }
    return list;
  }

  // messageAt is the message that ends at a row, or that begins there and never ends.
  messageAt(row) {
    const { run } = this;
    const other = run.otherEnd(row), lane = run.lane[row];
    if (other < 0) return null;
    if (run.kind[row] === KIND.sent) {
      for (const e of run.effects(row)) if (run.kind[e] === KIND.arrived || run.kind[e] === KIND.dropped) return null;
      const why = run.message(row); // what the network said when it took it
      return why || run.at[row] < run.end - 1e6 ? { row, from: run.at[row], to: run.at[row], fromLane: lane, toLane: other, lost: why || "under way", half: true } : null;
    }
    if (run.kind[row] !== KIND.arrived && run.kind[row] !== KIND.dropped) return null;
    const sent = run.cause[row] >= 0 && run.kind[run.cause[row]] === KIND.sent ? run.cause[row] : -1;
    const from = sent >= 0 ? run.at[sent] : run.at[row];
    return { row, sent, from, to: run.at[row], fromLane: other, toLane: lane, lost: run.kind[row] === KIND.dropped ? "lost" : "", half: sent < 0 };
  }

  arrow(ctx, a, count) {
    const { view, paint, run } = this;
    let x1 = view.x(a.from), y1 = view.laneY(a.fromLane), x2 = view.x(a.to), y2 = view.laneY(a.toLane);
    if (a.half && a.lost) [x2, y2] = [x1 + 5, y1 + (y2 - y1) * 0.45];
    const lit = view.chosen && view.chosen.type === "event" && (view.chosen.i === a.row || view.chosen.i === a.sent);
    const colour = a.lost ? paint.bad : paint.families[run.family[a.row]];
    ctx.setLineDash(a.lost ? [4, 3] : dashes[run.family[a.row]]);
    line(ctx, x1, y1, x2, y2, colour, lit ? 2.5 : 1);
    ctx.setLineDash([]);
    if (a.lost) cross(ctx, x2, y2, colour);
    else if (count < 900) head(ctx, x1, y1, x2, y2, colour);
    if (this.drawn.length < 4000) this.drawn.push([x1, y1, x2, y2, a.row]);
  }

  words(ctx, a) {
    const { view, paint, run } = this;
    const x = (view.x(a.from) + view.x(a.to)) / 2, y = (view.laneY(a.fromLane) + view.laneY(a.toLane)) / 2;
    const text = run.title(a.row) + (a.lost && a.half ? " " + a.lost : "");
    font(ctx, 10);
    const w = ctx.measureText(text).width;
    if (x < GUTTER + 4 || x + w > view.width) return;
    withAlpha(ctx, 0.8, () => {
      ctx.fillStyle = paint.bg;
      ctx.fillRect(x + 5, y - 6, w + 4, 12);
    });
    ctx.fillStyle = paint.families[run.family[a.row]];
    ctx.textBaseline = "middle";
    ctx.fillText(text, x + 7, y);
  }

  // drawChosen draws the chain of causes of the chosen event, and its effects.
  drawChosen(ctx) {
    const { view, paint, run } = this;
    if (!view.chosen || view.chosen.type !== "event") return;
    const chosen = view.chosen.i;
    const place = (row) => [view.x(run.at[row]), view.laneY(run.lane[row])];
    const chain = run.chain(chosen);
    ctx.lineJoin = "round";
    this.path(ctx, chain.map(place), paint.bg, 6, 0.9);
    this.path(ctx, chain.map(place), paint.accent, 3);
    const effects = run.effects(chosen).slice(0, 200);
    ctx.setLineDash([3, 3]);
    for (const e of effects) this.path(ctx, [place(chosen), place(e)], paint.good, 2);
    ctx.setLineDash([]);
    for (const row of chain.slice(1)) ring(ctx, ...place(row), 3.5, paint.accent, paint.bg);
    for (const e of effects) ring(ctx, ...place(e), 3.5, paint.good, paint.bg);
    ring(ctx, ...place(chosen), 7, paint.accent, paint.bg);
    ring(ctx, ...place(chosen), 2.5, paint.accent, paint.accent);
  }

  path(ctx, points, colour, width, alpha = 1) {
    if (points.length < 2) return;
    withAlpha(ctx, alpha, () => {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.beginPath();
      points.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
      ctx.stroke();
    });
  }

  // near is the row of the message that passes closest to a point, -1 if none is close.
  near(x, y) {
    let best = -1, least = 6;
    for (const [x1, y1, x2, y2, row] of this.drawn) {
      const d = distance(x, y, x1, y1, x2, y2);
      if (d < least) [least, best] = [d, row];
    }
    return best;
  }
}

const dashes = [[], [], [1, 2], [6, 2], [], [3, 2]]; // by family

function distance(px, py, x1, y1, x2, y2) {
  const dx = x2 - x1, dy = y2 - y1;
  const u = Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(px - x1 - u * dx, py - y1 - u * dy);
}

function head(ctx, x1, y1, x2, y2, colour) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 12) return;
  const ux = (x2 - x1) / length, uy = (y2 - y1) / length;
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x2, y2);
  ctx.lineTo(x2 - 7 * ux - 3 * uy, y2 - 7 * uy + 3 * ux);
  ctx.lineTo(x2 - 7 * ux + 3 * uy, y2 - 7 * uy - 3 * ux);
  ctx.fill();
}

function cross(ctx, x, y, colour) {
  line(ctx, x - 3.5, y - 3.5, x + 3.5, y + 3.5, colour, 1.8);
  line(ctx, x - 3.5, y + 3.5, x + 3.5, y - 3.5, colour, 1.8);
}

function ring(ctx, x, y, radius, stroke, fill) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 7);
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 2;
  ctx.stroke();
}

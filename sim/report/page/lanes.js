// This file draws the space-time diagram: a lane a member, who leads, what is broken, and
// what happens, each event for itself or, where there are too many, as how much there is.

class Lanes {
  constructor(run, view, paint, arrows) {
    Object.assign(this, { run, view, paint, arrows });
    this.marks = run.lanes.map((_, lane) => this.marksOf(lane));
    this.reigns = this.onLane(run.leaders, (r) => [r.lane]);
    this.faults = this.onLane(run.faults, (f) => f.lanes);
    this.absences = this.onLane(run.down, (d) => [d.lane]);
    this.density = new Density(run, view, paint);
    this.targets = []; // what was drawn where, to be found again under the pointer
  }

  // onLane lists, for each lane, the places in list of what lies on it.
  onLane(list, lanesOf) {
    const all = this.run.lanes.map(() => []);
    list.forEach((x, i) => lanesOf(x).forEach((lane) => all[lane].push(i)));
    return all;
  }

  // marksOf lists the events of a lane that are drawn even where there are too many.
  marksOf(lane) {
    const marks = [];
    for (const row of this.run.rowsOfLane(lane)) {
      const kind = this.run.kind[row];
      if (kind !== KIND.noted && kind !== KIND.faulted) continue;
      const sign = signOf(this.run.title(row));
      if (sign) marks.push({ row, ...sign });
    }
    return marks;
  }

  draw(canvas) {
    const { view, paint } = this;
    const ctx = canvas.getContext("2d");
    const { width, height } = fit(canvas);
    view.width = width;
    this.targets.length = 0;
    ctx.fillStyle = paint.bg;
    ctx.fillRect(0, 0, width, height);
    const top = AXIS + view.faultsHeight();
    drawGrid(ctx, view, paint, AXIS, height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, top, width, height - top);
    ctx.clip();
    const shown = view.shown.filter((l) => view.laneY(l) > top - 40 && view.laneY(l) < height + 40);
    for (const lane of shown) this.drawLane(ctx, lane);
    this.drawNoise(ctx, top, height);
    this.drawClientsHead(ctx);
    ctx.beginPath();
    ctx.rect(GUTTER, top, width - GUTTER, height - top);
    ctx.clip();
    const dense = this.drawEvents(ctx, shown);
    this.arrows.draw(ctx, shown, dense);
    for (const lane of shown) this.drawMarks(ctx, lane);
    this.arrows.drawChosen(ctx);
    drawMoments(ctx, view, paint, top, height);
    ctx.restore();
    this.drawFaults(ctx);
    this.drawNames(ctx, shown, top, height);
    drawAxis(ctx, view, paint);
    this.drawEvidence(ctx);
    drawScroll(ctx, view, paint, view.scroll.lanes, view.lanesHeight, top, height);
  }

  // drawEvidence points from the axis to the moments at which a promise was seen broken.
  drawEvidence(ctx) {
    const { view, paint, run } = this;
    font(ctx, 12, 700);
    ctx.textAlign = "center";
    run.evidence.forEach((e, i) => {
      const x = view.x(e.at);
      if (x < GUTTER || x > view.width) return;
      ctx.fillStyle = paint.bad;
      ctx.fillText("▼", x, AXIS - 6);
      this.targets.push({ x: x - 7, y: AXIS - 14, w: 14, h: 16, type: "evidence", i });
    });
    ctx.textAlign = "left";
  }

  drawLane(ctx, lane) {
    const { view, paint, run } = this;
    const y = view.laneTop[lane] - view.scroll.lanes, h = view.laneHeight[lane];
    line(ctx, GUTTER, y + h - 0.5, view.width, y + h - 0.5, paint.faint);
    if (lane === view.lane || view.named.lanes.includes(lane)) {
      withAlpha(ctx, 0.09, () => {
        ctx.fillStyle = paint.accent;
        ctx.fillRect(0, y, view.width, h);
      });
    }
    line(ctx, GUTTER, view.laneY(lane), view.width, view.laneY(lane), paint.line);
    for (const i of this.reigns[lane]) this.drawReign(ctx, run.leaders[i], i, y, h);
    for (const i of this.faults[lane]) this.drawFaultOn(ctx, run.faults[i], i, lane, y, h);
    for (const i of this.absences[lane]) this.drawDown(ctx, run.down[i], i, y, h);
  }

  // drawReign shows who leads. One that another leads in a later term does not know it.
  drawReign(ctx, reign, i, y, h) {
    const { view, paint, run } = this;
    const a = area(view, reign.from, reign.to);
    if (!a) return;
    withAlpha(ctx, 0.2, () => {
      ctx.fillStyle = paint.leader;
      ctx.fillRect(a.x, y + 2, a.w, h - 4);
    });
    ctx.fillStyle = paint.leader;
    ctx.fillRect(a.x, y + 2, a.w, 3);
    const later = run.leaders.find((r) => r.term > reign.term && (reign.to < 0 || r.from < reign.to));
    const stale = later && area(view, later.from, reign.to);
    if (stale) {
      ctx.fillStyle = paint.pattern(ctx, "clock", paint.leader);
      ctx.fillRect(stale.x, y + 2, stale.w, h - 4);
    }
    font(ctx, Math.min(11, h * 0.6), 600);
    ctx.textBaseline = "middle";
    label(ctx, fitting(ctx, a, `★ leads, term ${reign.term}`, `★ term ${reign.term}`, `★ ${reign.term}`), a, y + Math.min(12, h / 2), paint.ink);
    this.targets.push({ x: a.x, y, w: a.w, h, type: "reign", i, weak: true });
  }

  drawFaultOn(ctx, f, i, lane, y, h) {
    const { view, paint, run } = this;
    const kind = kindOfFault[f.verb] || "other";
    const a = area(view, f.from, f.to);
    if (!a || kind === "down") return; // drawDown shows what came of it
    const colour = paint.faultColour(f.verb);
    const words = Math.min(y + h - 8, y + 11 + 12 * view.band.level[i] + (h >= 48 && this.reigns[lane].length ? 14 : 0)); // below who leads
    // Who leads is more telling than what the strip on top says as well.
    const crowded = h < 48 && this.reigns[lane].some((k) => area(view, run.leaders[k].from, run.leaders[k].to) && meets(run.leaders[k], f));
    font(ctx, 10, 600);
    ctx.textBaseline = "middle";
    if (kind === "cut") {
      this.drawCut(ctx, f, lane, a, y, h, colour);
      if (h >= 24 && !crowded) label(ctx, cutWords(run, f, lane), a, words, colour);
    } else {
      withAlpha(ctx, 0.5, () => {
        ctx.fillStyle = paint.pattern(ctx, kind, colour);
        ctx.fillRect(a.x, y + 1, a.w, h - 2);
      });
      if (!crowded) label(ctx, f.verb, a, h < 24 ? y + h / 2 : words, colour);
    }
    this.targets.push({ x: a.x, y, w: a.w, h, type: "fault", i, weak: true });
  }

  // drawCut marks a side of a cut: the first at the upper edge of its lanes, the other at
  // the lower one.
  drawCut(ctx, f, lane, a, y, h, colour) {
    const edge = !f.side || f.side.includes(lane) ? y + 1 : y + h - 4;
    ctx.fillStyle = colour;
    for (let x = a.x; x < a.x + a.w; x += 7) ctx.fillRect(x, edge, Math.min(4, a.x + a.w - x), 2.5);
    withAlpha(ctx, 0.08, () => ctx.fillRect(a.x, y, a.w, h));
  }

  drawDown(ctx, d, i, y, h) {
    const { view, paint } = this;
    const a = area(view, d.from, d.to, 3);
    if (!a) return;
    ctx.fillStyle = paint.bg;
    ctx.fillRect(a.x, y + 1, a.w, h - 2);
    withAlpha(ctx, 0.55, () => {
      ctx.fillStyle = paint.pattern(ctx, "down", paint.down);
      ctx.fillRect(a.x, y + 1, a.w, h - 2);
    });
    font(ctx, Math.min(11, h * 0.6), 600);
    ctx.textBaseline = "middle";
    const text = fitting(ctx, a, d.why, "✕");
    if (text && a.w > 20) {
      ctx.fillStyle = paint.bg;
      ctx.fillRect(a.x + 4, y + h / 2 - 7, ctx.measureText(text).width + 6, 14);
      ctx.fillStyle = paint.down;
      ctx.fillText(text, a.x + 7, y + h / 2);
    }
    this.targets.push({ x: a.x, y, w: a.w, h, type: "down", i, weak: true });
  }

  // drawNoise shades what strikes everybody over all lanes.
  drawNoise(ctx, top, height) {
    const { view, paint, run } = this;
    for (const f of run.faults) {
      if (kindOfFault[f.verb] !== "noise" || f.lanes.length) continue;
      const a = area(view, f.from, f.to);
      if (!a) continue;
      withAlpha(ctx, 0.05, () => {
        ctx.fillStyle = paint.noise;
        ctx.fillRect(a.x, top, a.w, height - top);
      });
    }
  }

  // drawFaults writes what the nemesis did into the strip above the lanes.
  drawFaults(ctx) {
    const { view, paint, run } = this;
    const height = view.faultsHeight();
    if (!height) return;
    ctx.fillStyle = paint.panel;
    ctx.fillRect(0, AXIS, view.width, height);
    line(ctx, 0, AXIS + height - 0.5, view.width, AXIS + height - 0.5, paint.line);
    font(ctx, 11, 600);
    ctx.textBaseline = "middle";
    run.faults.forEach((f, i) => {
      const a = area(view, f.from, f.to, 5);
      if (!a) return;
      const y = AXIS + 3 + view.band.level[i] * 17;
      const colour = paint.faultColour(f.verb);
      withAlpha(ctx, 0.22, () => {
        ctx.fillStyle = colour;
        ctx.fillRect(a.x, y, a.w, 15);
      });
      withAlpha(ctx, 0.35, () => {
        ctx.fillStyle = paint.pattern(ctx, kindOfFault[f.verb] || "other", colour);
        ctx.fillRect(a.x, y, Math.min(a.w, 9), 15);
      });
      ctx.fillStyle = colour;
      if (!a.open) ctx.fillRect(a.x, y, 2, 15);
      label(ctx, f.text, { x: a.x + 8, w: Math.min(view.width, view.x(view.band.next[i])) - a.x - 8 }, y + 8, paint.ink, 3);
      this.targets.push({ x: a.x, y, w: a.w, h: 15, type: "fault", i });
    });
  }

  drawClientsHead(ctx) {
    const { view, paint } = this;
    if (!view.clients.length) return;
    const y = view.clientsTop - view.scroll.lanes + 11;
    line(ctx, GUTTER, y, view.width, y, paint.line);
  }

  // drawEvents draws what happens in the lanes and says whether it had to count.
  drawEvents(ctx, shown) {
    const { view, run } = this;
    const first = run.firstAt(view.from), last = run.firstAt(view.to);
    const room = Math.max(1, view.width - GUTTER) * Math.max(1, shown.length) / 14;
    const dense = last - first > room;
    const lanes = view.clientsOpen ? shown : shown.concat(view.clients);
    for (const lane of lanes) {
      if (dense) this.density.draw(ctx, lane, last - first > MANY_EVENTS);
      else this.drawDots(ctx, lane);
    }
    return dense;
  }

  drawDots(ctx, lane) {
    const { view, paint, run } = this;
    const rows = run.rowsOfLane(lane);
    const y = view.laneY(lane);
    const size = view.perPixel() < 2000 ? 3 : 2.2;
    let last = -9;
    for (let k = run.firstOfLane(rows, view.from); k < rows.length && run.at[rows[k]] <= view.to; k++) {
      const row = rows[k];
      if (!view.families[run.family[row]]) continue;
      const x = view.x(run.at[row]);
      this.targets.push({ x: x - 4, y: y - 6, w: 8, h: 12, type: "event", i: row });
      if (x - last < 0.7) continue;
      last = x;
      ctx.fillStyle = paint.families[run.family[row]];
      dot(ctx, run.kind[row], x, y, size);
    }
  }

  drawMarks(ctx, lane) {
    const { view, paint, run } = this;
    const h = view.laneHeight[lane], y = view.laneY(lane);
    const last = new Map(); // by sign: where one was drawn
    for (const m of this.marks[lane]) {
      const t = run.at[m.row];
      if (t < view.from || t > view.to) continue;
      const x = view.x(t);
      if (x - (last.get(m.sign) ?? -99) < 5) continue;
      last.set(m.sign, x);
      font(ctx, Math.min(13, h * 0.75), 700);
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillStyle = paint[m.colour];
      ctx.fillText(m.sign, x, y + (h > 24 ? h / 2 - 8 : 0));
      ctx.textAlign = "left";
      this.targets.push({ x: x - 6, y: y - 8, w: 12, h: h / 2 + 8, type: "event", i: m.row });
    }
  }

  drawNames(ctx, shown, top, height) {
    const { view, paint, run } = this;
    ctx.save();
    ctx.fillStyle = paint.panel;
    ctx.fillRect(0, AXIS, GUTTER, height);
    line(ctx, GUTTER - 0.5, 0, GUTTER - 0.5, height, paint.line);
    ctx.textBaseline = "middle";
    if (view.faultsHeight()) {
      font(ctx, 11, 600);
      ctx.fillStyle = paint.soft;
      ctx.fillText("faults", 12, AXIS + 11);
    }
    ctx.beginPath();
    ctx.rect(0, top, GUTTER, height - top);
    ctx.clip();
    for (const lane of shown) this.drawName(ctx, run.lanes[lane], lane);
    if (view.clients.length) {
      font(ctx, 11, 600);
      ctx.fillStyle = paint.soft;
      ctx.fillText(`${view.clientsOpen ? "▾" : "▸"} ${view.clients.length} client${view.clients.length > 1 ? "s" : ""}`, 12, view.clientsTop - view.scroll.lanes + 11);
    }
    ctx.restore();
  }

  drawName(ctx, info, lane) {
    const { view, paint } = this;
    const y = view.laneY(lane), h = view.laneHeight[lane];
    if (lane === view.lane) {
      ctx.fillStyle = paint.accent;
      ctx.fillRect(0, y - h / 2, 4, h);
    }
    const two = h >= 30;
    font(ctx, Math.min(13, h * 0.8), info.kind === "server" ? 700 : 500);
    ctx.fillStyle = paint.ink;
    const name = clip(ctx, info.name, GUTTER - 20);
    ctx.fillText(name, 12, two ? y - 6 : y);
    const after = two ? 12 : 18 + ctx.measureText(name).width;
    font(ctx, Math.min(10, h * 0.7));
    ctx.fillStyle = paint.soft;
    ctx.fillText(clip(ctx, [info.kind, info.tags].filter(Boolean).join(", "), GUTTER - after - 6), after, two ? y + 8 : y);
  }
}

// meets says whether two spans of time have a moment in common.
function meets(a, b) {
  return (a.to < 0 || a.to >= b.from) && (b.to < 0 || b.to >= a.from);
}

// cutWords says of a lane from whom a cut keeps it.
function cutWords(run, f, lane) {
  const first = !f.side || f.side.includes(lane);
  const others = f.lanes.filter((l) => (f.side || []).includes(l) !== first).map((l) => run.lanes[l].name);
  const whom = others.length > 3 ? `${others.length} others` : others.join(", ");
  if (f.text.includes(" > ")) return first ? `does not reach ${whom}` : `not reached by ${whom}`;
  return `${f.verb === "clog" ? "clogged" : "cut off"} from ${whom}`;
}

// signOf is the mark of what happens to a member; undefined for what is a dot like others.
function signOf(text) {
  if (text.startsWith("became candidate")) return { sign: "△", colour: "accent" };
  if (text.startsWith("became leader")) return { sign: "★", colour: "leader" };
  if (text.startsWith("stepped down")) return { sign: "▽", colour: "accent" };
  if (text.startsWith("panicked")) return { sign: "✖", colour: "bad" };
  if (text === "crashed" || text === "lost power") return { sign: "✕", colour: "down" };
  if (text.startsWith("started, incarnation")) return { sign: "▸", colour: "good" };
  if (text.startsWith("snapshot taken")) return { sign: "◫", colour: "soft" };
}

// dot draws one event: its form tells its kind.
function dot(ctx, kind, x, y, size) {
  ctx.beginPath();
  switch (kind) {
    case KIND.sent: ctx.moveTo(x - size, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x - size, y + size); break;
    case KIND.arrived: ctx.moveTo(x + size, y - size); ctx.lineTo(x - size, y); ctx.lineTo(x + size, y + size); break;
    case KIND.noted: ctx.moveTo(x, y - size - 1); ctx.lineTo(x + size + 1, y); ctx.lineTo(x, y + size + 1); ctx.lineTo(x - size - 1, y); break;
    case KIND.dropped: ctx.rect(x - size, y - 0.7, 2 * size, 1.4); ctx.rect(x - 0.7, y - size, 1.4, 2 * size); break;
    case KIND.told: ctx.rect(x - size, y - size, 2 * size, 2 * size); break;
    default: ctx.arc(x, y, size, 0, 7);
  }
  ctx.fill();
}

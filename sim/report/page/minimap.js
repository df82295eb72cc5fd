// This file draws the whole run in one strip, with the window in it, and moves that.

class Minimap {
  constructor(run, view, paint) {
    Object.assign(this, { run, view, paint });
    this.servers = run.lanes.map((l, i) => i).filter((i) => run.lanes[i].kind === "server").slice(0, 9);
    this.counts = null;
    this.picture = document.createElement("canvas"); // all but the window, drawn once
    this.key = "";
  }

  x(t) {
    return GUTTER + (t / this.view.whole()) * (this.width - GUTTER);
  }

  t(x) {
    return ((x - GUTTER) / (this.width - GUTTER)) * this.view.whole();
  }

  draw(canvas) {
    const { view, paint } = this;
    const ctx = canvas.getContext("2d");
    const { width, height } = fit(canvas);
    this.width = width;
    const key = [canvas.width, canvas.height, paint.bg, view.found.length, view.found[0]].join();
    if (key !== this.key) {
      this.key = key;
      this.picture.width = canvas.width;
      this.picture.height = canvas.height;
      const inner = this.picture.getContext("2d");
      inner.scale(canvas.width / width, canvas.height / height);
      this.drawWhole(inner, width, height);
    }
    ctx.drawImage(this.picture, 0, 0, width, height);
    const x1 = this.x(view.from), x2 = Math.max(x1 + 3, this.x(view.to));
    withAlpha(ctx, 0.45, () => {
      ctx.fillStyle = paint.panel;
      ctx.fillRect(GUTTER, 0, x1 - GUTTER, height);
      ctx.fillRect(x2, 0, width - x2, height);
    });
    ctx.strokeStyle = paint.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(x1, 1, x2 - x1, height - 2);
    ctx.fillStyle = paint.accent;
    for (const x of [x1, x2]) ctx.fillRect(x - 2.5, height / 2 - 9, 5, 18);
  }

  drawWhole(ctx, width, height) {
    const { run, paint } = this;
    ctx.fillStyle = paint.bg;
    ctx.fillRect(0, 0, width, height);
    this.drawDensity(ctx, width, height);
    for (const f of run.faults) {
      const x = this.x(f.from), w = Math.max(1.5, this.x(f.to < 0 ? run.end : f.to) - x);
      withAlpha(ctx, 0.3, () => {
        ctx.fillStyle = paint.faultColour(f.verb);
        ctx.fillRect(x, 0, w, height - 12);
      });
    }
    const each = Math.min(5, (height - 26) / Math.max(1, this.servers.length));
    for (const r of run.leaders) {
      const row = this.servers.indexOf(r.lane);
      if (row < 0) continue;
      ctx.fillStyle = paint.leader;
      const x = this.x(r.from);
      ctx.fillRect(x, 12 + row * each, Math.max(2, this.x(r.to < 0 ? run.end : r.to) - x), Math.max(1, each - 1));
    }
    ctx.fillStyle = paint.accent;
    for (const row of this.run.n ? this.view.found.slice(0, 5000) : []) ctx.fillRect(this.x(run.at[row]), height - 5, 1.5, 5);
    font(ctx, 11, 700);
    ctx.textAlign = "center";
    ctx.fillStyle = paint.bad;
    for (const e of run.evidence) ctx.fillText("▼", this.x(e.at), 10);
    ctx.textAlign = "left";
    ctx.fillStyle = paint.panel;
    ctx.fillRect(0, 0, GUTTER, height);
    font(ctx, 11, 600);
    ctx.textBaseline = "middle";
    ctx.fillStyle = paint.soft;
    ctx.fillText("the whole run", 12, height / 2 - 7);
    font(ctx, 10);
    ctx.fillText(span(run.end), 12, height / 2 + 8);
  }

  drawDensity(ctx, width, height) {
    const { run, paint } = this;
    const columns = Math.max(1, Math.floor(width - GUTTER));
    const counts = new Uint32Array(columns + 1);
    const whole = this.view.whole();
    for (let i = 0; i < run.n; i++) counts[Math.floor((run.at[i] / whole) * columns)]++;
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    ctx.fillStyle = paint.line;
    counts.forEach((n, c) => {
      const h = (Math.log2(1 + n) / Math.log2(1 + most)) * (height - 16);
      ctx.fillRect(GUTTER + c, height - h, 1, h);
    });
  }

  // grab begins a drag at a place: of an edge of the window, of the window, or, beside
  // it, of the window brought there. It returns what a move does.
  grab(x) {
    const { view } = this;
    const x1 = this.x(view.from), x2 = this.x(view.to);
    if (Math.abs(x - x1) < 6 && x2 - x1 > 14) return (to) => view.show(Math.min(this.t(to), view.to - MIN_SPAN), view.to);
    if (Math.abs(x - x2) < 6 && x2 - x1 > 14) return (to) => view.show(view.from, Math.max(this.t(to), view.from + MIN_SPAN));
    if (x < x1 || x > x2) {
      const half = (view.to - view.from) / 2;
      view.show(this.t(x) - half, this.t(x) + half);
    }
    const grip = this.t(x) - view.from, length = view.to - view.from;
    return (to) => view.show(this.t(to) - grip, this.t(to) - grip + length);
  }
}

// This file draws the jobs: a row each, its due times as ticks with the window in which
// they have to be fired, and below them the attempts as bars on the members that ran them.

const TICKS = 15; // height of the due times
const BAR = 11, LEVEL = 13;

class Jobs {
  constructor(run, view, paint) {
    Object.assign(this, { run, view, paint });
    this.targets = [];
  }

  draw(canvas) {
    const { view, paint, run } = this;
    const ctx = canvas.getContext("2d");
    const { width, height } = fit(canvas);
    this.targets.length = 0;
    ctx.fillStyle = paint.bg;
    ctx.fillRect(0, 0, width, height);
    drawGrid(ctx, view, paint, 0, height);
    const first = lowerBound(run.jobs.length, (j) => view.jobTop[j + 1] > view.scroll.jobs);
    const rows = [];
    for (let j = first; j < run.jobs.length && view.jobTop[j] - view.scroll.jobs < height; j++) rows.push(j);
    ctx.save();
    ctx.beginPath();
    ctx.rect(GUTTER, 0, width - GUTTER, height);
    ctx.clip();
    for (const j of rows) this.drawRow(ctx, j);
    drawMoments(ctx, view, paint, 0, height);
    ctx.restore();
    this.drawNames(ctx, rows, height);
    drawScroll(ctx, view, paint, view.scroll.jobs, view.jobsHeight, 0, height);
  }

  drawRow(ctx, job) {
    const { view, paint } = this;
    const y = view.jobTop[job] - view.scroll.jobs, h = view.jobTop[job + 1] - view.jobTop[job];
    if (job === view.job || view.named.jobs.includes(job)) {
      withAlpha(ctx, 0.1, () => {
        ctx.fillStyle = paint.accent;
        ctx.fillRect(0, y, view.width, h);
      });
    }
    line(ctx, GUTTER, y + h - 0.5, view.width, y + h - 0.5, paint.faint);
    this.drawBars(ctx, job, y + TICKS);
    this.drawDues(ctx, job, y);
  }

  // drawDues draws the causes of executions: a tick for a due time, hollow when it was
  // skipped and red when no decision speaks of it, a diamond for what was asked for or follows another job.
  drawDues(ctx, job, y) {
    const { view, run, paint } = this;
    const dues = view.jobDues[job];
    let last = -9;
    const start = lowerBound(dues.length, (k) => run.dues[dues[k]].at >= view.from - run.window);
    for (let k = Math.max(0, start - 1); k < dues.length && run.dues[dues[k]].at <= view.to; k++) {
      const i = dues[k], d = run.dues[i];
      const x = view.x(d.at), skipped = d.reason >= 0;
      if (x - last < 1.2 && !skipped) continue;
      last = x;
      const next = k + 1 < dues.length ? run.dues[dues[k + 1]].at : run.end;
      if (d.cause < 2) this.drawWindow(ctx, d, next, y);
      const colour = d.decided < 0 ? paint.bad : skipped ? paint.skipped : paint.ink;
      if (d.to > d.at) line(ctx, x, y + 6, view.x(d.to), y + 6, paint.skipped, 2);
      ctx.fillStyle = skipped ? paint.bg : paint.ink;
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.3;
      ctx.beginPath();
      if (d.cause < 2) ctx.rect(x - (skipped ? 2 : 0.6), y + 2, skipped ? 4 : 1.2, 9);
      else diamond(ctx, x, y + 6.5, 3.4);
      ctx.fill();
      if (skipped || d.cause >= 2) ctx.stroke();
      if (skipped) this.drawReason(ctx, run.reasons[d.reason], colour, x + 5, y + 7, view.x(next) - x - 8);
      this.targets.push({ x: x - 4, y, w: 8, h: 14, type: "due", i });
    }
  }

  // drawWindow shades the time in which a due time may be fired and is not missed.
  drawWindow(ctx, d, next, y) {
    const { view, run, paint } = this;
    const a = area(view, d.at, Math.min(d.at + run.window, next), 0);
    if (!a || a.w < 5) return;
    withAlpha(ctx, 0.12, () => {
      ctx.fillStyle = paint.accent;
      ctx.fillRect(a.x, y + 3, a.w - 1, 7);
    });
  }

  drawReason(ctx, reason, colour, x, y, width) {
    font(ctx, 9.5);
    ctx.textBaseline = "middle";
    ctx.fillStyle = colour;
    const text = clip(ctx, reason.replaceAll("_", " "), width);
    if (text) ctx.fillText(text, x, y);
  }

  drawBars(ctx, job, top) {
    const { view } = this;
    const bars = view.jobBars[job];
    const right = [-9, -9, -9, -9], worst = [0, 0, 0, 0];
    const start = lowerBound(bars.length, (k) => view.barFrom(bars[k]) >= view.from - view.longest[job]);
    for (let k = start; k < bars.length && view.barFrom(bars[k]) <= view.to; k++) {
      const i = bars[k], level = view.barLevel[i];
      const a = area(view, view.barFrom(i), view.barTo(i), 2.5);
      if (!a) continue;
      const bad = this.run.bars[i].outcome > 1 ? 1 : 0;
      if (a.x + a.w - right[level] < 1 && bad <= worst[level]) continue; // it would hide behind the one before
      right[level] = a.x + a.w;
      worst[level] = bad;
      this.drawBar(ctx, i, a, top + level * LEVEL);
    }
  }

  // drawBar draws what the log says of an attempt as an outline, and its process filled.
  drawBar(ctx, i, a, y) {
    const { view, run, paint } = this;
    const b = run.bars[i];
    const colour = paint.outcomes[b.outcome];
    const chosen = view.chosen && view.chosen.type === "bar" && view.chosen.i === i;
    withAlpha(ctx, 0.16, () => {
      ctx.fillStyle = colour;
      ctx.fillRect(a.x, y, a.w, BAR);
    });
    const p = b.started < 0 ? null : area(view, b.started, b.ended, 2);
    if (p) {
      withAlpha(ctx, 0.85, () => {
        ctx.fillStyle = colour;
        ctx.fillRect(p.x, y + 1, p.w, BAR - 2);
      });
      if (b.outcome === 3 && p.w > 6) this.hatch(ctx, p, y);
    }
    if (a.w > 5 || chosen) {
      ctx.strokeStyle = chosen ? paint.accent : colour;
      ctx.lineWidth = chosen ? 2.5 : 1;
      ctx.setLineDash(b.assigned < 0 ? [2, 2] : []);
      ctx.strokeRect(a.x + 0.5, y + 0.5, Math.max(1, a.w - 1), BAR - 1);
      ctx.setLineDash([]);
    }
    if (p && p.w > 24) this.drawBarText(ctx, b, p, y, colour, paint.bg);
    else this.drawBarText(ctx, b, a, y, colour, p && p.w > a.w - 6 ? paint.bg : colour);
    this.targets.push({ x: a.x - 1, y, w: Math.max(4, a.w + 2), h: BAR, type: "bar", i });
  }

  // hatch marks an attempt that was lost, beside its words.
  hatch(ctx, p, y) {
    const words = p.w > 90 ? 70 : 0;
    ctx.fillStyle = this.paint.pattern(ctx, "down", this.paint.bg);
    ctx.fillRect(p.x + words, y + 1, p.w - words, BAR - 2);
  }

  drawBarText(ctx, b, a, y, colour, ink) {
    const { run } = this;
    ctx.textBaseline = "middle";
    font(ctx, 9.5, 700);
    if (a.w < 12) {
      if (b.outcome < 2) return;
      ctx.fillStyle = colour; // a thin bar that did not succeed has its sign beside it
      ctx.fillText(GLYPHS[b.outcome], a.x + a.w + 1, y + BAR / 2 + 0.5);
      return;
    }
    const name = run.lanes[b.lane].name, tries = b.n > 1 ? `, try ${b.n}` : "";
    const glyph = GLYPHS[b.outcome];
    const text = fitting(ctx, { w: a.w + 4 }, `${glyph} ${name}${tries}`, `${glyph} ${name}`, glyph);
    label(ctx, text, a, y + BAR / 2 + 0.5, ink, 3);
  }

  drawNames(ctx, rows, height) {
    const { view, paint, run } = this;
    ctx.fillStyle = paint.panel;
    ctx.fillRect(0, 0, GUTTER, height);
    line(ctx, GUTTER - 0.5, 0, GUTTER - 0.5, height, paint.line);
    ctx.textBaseline = "middle";
    for (const j of rows) {
      const y = view.jobTop[j] - view.scroll.jobs;
      if (j === view.job) {
        ctx.fillStyle = paint.accent;
        ctx.fillRect(0, y, 4, view.jobTop[j + 1] - view.jobTop[j]);
      }
      font(ctx, 12, 600);
      ctx.fillStyle = paint.ink;
      ctx.fillText(clip(ctx, run.jobs[j].name, GUTTER - 20), 12, y + 9);
      font(ctx, 10);
      ctx.fillStyle = paint.soft;
      ctx.fillText(clip(ctx, run.jobs[j].schedule || "", GUTTER - 20), 12, y + 22);
    }
  }
}

function diamond(ctx, x, y, r) {
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y);
  ctx.lineTo(x, y + r);
  ctx.lineTo(x - r, y);
  ctx.closePath();
}

// This file draws how much happens in a lane, where there is too much to draw each event.

const MANY_EVENTS = 400_000; // more are taken from counts that were made once
const BINS = 4096;
const LOST = FAMILIES; // what was dropped, whatever its family
const LAYERS = FAMILIES + 1;

class Density {
  constructor(run, view, paint) {
    Object.assign(this, { run, view, paint });
    this.bins = []; // by lane: how much there is in each 4096th of the run, layer by layer
  }

  // draw shows how much happens, a column of pixels a time, stacked by families, on
  // the lower part of the lane. Its height grows as the logarithm, so that a single event
  // is seen beside a thousand. What was lost stands on top.
  draw(ctx, lane, fromCounts) {
    const { view, paint } = this;
    const columns = Math.ceil((view.width - GUTTER) / 2);
    const counts = fromCounts ? this.binned(lane, columns) : this.counted(lane, columns);
    const h = view.laneHeight[lane] || 20;
    const bottom = view.laneY(lane) + h / 2 - (h > 24 ? 5 : 2), most = h > 24 ? h * 0.5 : h - 4;
    const base = new Float32Array(columns).fill(bottom), unit = new Float32Array(columns);
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let f = 0; f < LAYERS; f++) sum += counts[c * LAYERS + f];
      unit[c] = sum && (Math.min(1, Math.log2(1 + sum) / 9) * most) / sum;
    }
    for (let f = 0; f < LAYERS; f++) {
      ctx.fillStyle = f === LOST ? paint.bad : paint.families[f]; // once a layer: setting it is slow
      for (let c = 0; c < columns; c++) {
        const n = counts[c * LAYERS + f];
        if (!n) continue;
        const part = f === LOST ? Math.max(2, n * unit[c]) : n * unit[c];
        ctx.fillRect(GUTTER + c * 2, base[c] - part, 1.5, part);
        base[c] -= part;
      }
    }
  }

  counted(lane, columns) {
    const { view, run } = this;
    const counts = new Uint32Array(columns * LAYERS);
    const rows = run.rowsOfLane(lane);
    const scale = columns / (view.to - view.from);
    for (let k = run.firstOfLane(rows, view.from); k < rows.length && run.at[rows[k]] < view.to; k++) {
      const row = rows[k];
      if (view.families[run.family[row]]) counts[Math.floor((run.at[row] - view.from) * scale) * LAYERS + layerOf(run, row)]++;
    }
    return counts;
  }

  // binned takes the counts of a whole lane, which are made when they are first needed.
  binned(lane, columns) {
    const { view, run } = this;
    const whole = view.whole();
    if (!this.bins[lane]) {
      const bins = (this.bins[lane] = new Uint32Array(BINS * LAYERS));
      for (const row of run.rowsOfLane(lane)) bins[Math.min(BINS - 1, Math.floor((run.at[row] / whole) * BINS)) * LAYERS + layerOf(run, row)]++;
    }
    const counts = new Uint32Array(columns * LAYERS);
    const first = Math.floor((view.from / whole) * BINS), last = Math.min(BINS, Math.ceil((view.to / whole) * BINS));
    for (let b = first; b < last; b++) {
      const c = Math.floor(((((b + 0.5) / BINS) * whole - view.from) / (view.to - view.from)) * columns);
      if (c < 0 || c >= columns) continue;
      for (let f = 0; f < LAYERS; f++) if (view.families[f] !== false) counts[c * LAYERS + f] += this.bins[lane][b * LAYERS + f];
    }
    return counts;
  }
}

// layerOf is where an event counts: a frame of which the network said something when it
// was sent is lost, too.
function layerOf(run, row) {
  const kind = run.kind[row];
  return kind === KIND.dropped || (kind === KIND.sent && run.text[row] >= 0) ? LOST : run.family[row];
}

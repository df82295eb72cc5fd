// This file finds events: by the text that they hold, by step, by moment.

// find returns the rows of the events in which the text stands, all of them, in order.
function find(run, text) {
  const wanted = text.toLowerCase();
  if (!wanted) return [];
  const holds = wordsThatHold(run, wanted);
  const rows = [];
  for (let row = 0; row < run.n; row++) {
    if (holds[run.what[row] + 1] || holds[run.text[row] + 1] || holds[run.peer[row] + 1]) rows.push(row);
  }
  return rows;
}

// wordsThatHold marks the numbers of words, moved by one so that none has a place. Words
// are decoded many at once, which is much faster than one by one.
function wordsThatHold(run, wanted) {
  const n = run.wordEnds.length;
  const holds = new Uint8Array(n + 1);
  const decoder = new TextDecoder();
  for (let from = 0; from < n; from += 512) {
    const to = Math.min(n, from + 512);
    const begin = from ? run.wordEnds[from - 1] : 0;
    const all = decoder.decode(run.wordBytes.subarray(begin, run.wordEnds[to - 1])).toLowerCase();
    if (!all.includes(wanted)) continue;
    for (let w = from; w < to; w++) if (run.word(w).toLowerCase().includes(wanted)) holds[w + 1] = 1;
  }
  return holds;
}

// readMoment understands 1:02:03.5, 02:03, 90s, 1.5m and 12ms; undefined for anything else.
function readMoment(text) {
  const unit = /^(\d+(?:\.\d+)?)\s*(us|µs|ms|s|m|min|h)$/.exec(text.trim());
  if (unit) return unit[1] * { us: 1, µs: 1, ms: 1e3, s: 1e6, m: 6e7, min: 6e7, h: 3.6e9 }[unit[2]];
  const clockText = /^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (clockText) return ((+clockText[1] || 0) * 3600 + +clockText[2] * 60 + +clockText[3]) * 1e6;
}

// namesIn finds the members and jobs that a sentence names: first the longer names.
function namesIn(run, text) {
  const whole = (name) => new RegExp(`(^|[^\\w-])${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[^\\w-])`).test(text);
  const lanes = run.lanes.map((l, i) => i).filter((i) => run.lanes[i].name && whole(run.lanes[i].name));
  const jobs = run.jobs.map((j, i) => i).filter((i) => whole(run.jobs[i].name));
  return { lanes, jobs };
}

// attemptIn finds the attempt that a sentence names, such as 12.0.1; -1 if there is none.
function attemptIn(run, text) {
  const m = /(?:^|[^\d.])(\d+)\.(\d+)\.(\d+)(?![\d.]*\d)/.exec(text);
  return m ? run.bars.findIndex((b) => b.exec === +m[1] && b.slot === +m[2] && b.n === +m[3]) : -1;
}

// processRow is the event that tells of the start or end of an attempt's process.
function processRow(run, bar, verb) {
  const t = verb === "started" ? bar.started : bar.ended;
  const begin = `${run.jobs[bar.job].name} ${bar.exec}.${bar.slot}.${bar.n} ${verb}`;
  const rows = run.rowsOfLane(bar.lane);
  for (let k = run.firstOfLane(rows, t - 1); k < rows.length && run.at[rows[k]] <= t + 1; k++) {
    if (run.title(rows[k]).startsWith(begin)) return rows[k];
  }
  return -1;
}

// stateRow is the event of the state about an attempt at a moment.
function stateRow(run, bar, t) {
  const about = `attempt={execution=${bar.exec} `;
  for (let row = run.firstAt(t - 1); row < run.n && run.at[row] <= t + 1; row++) {
    if (run.kind[row] === KIND.noted && run.message(row).includes(about)) return row;
  }
  return -1;
}

// nearest is the row of a lane that is closest to a moment, -1 if the lane has none.
function nearest(run, lane, t) {
  const rows = run.rowsOfLane(lane);
  const k = run.firstOfLane(rows, t);
  const before = rows[k - 1], after = rows[k];
  if (before === undefined) return after ?? -1;
  if (after === undefined) return before;
  return t - run.at[before] < run.at[after] - t ? before : after;
}

"use strict";

// This file unpacks a run and answers questions about it. It draws nothing and knows no
// page: the agent's own screens can use it as it is. The packing is told in columns.go.
//
// Moments are microseconds of virtual time. A row is the place of an event in the columns,
// a step its number in the trace: they differ where events were left out.

const KIND = { delivered: 1, sent: 2, arrived: 3, dropped: 4, emitted: 5, noted: 6, faulted: 7, told: 8, said: 9 };
const KIND_WORDS = ["", "delivered", "sent", "arrived", "dropped", "told by an actor", "noted", "fault", "client", "printed"];
const FAMILY = { none: 0, raft: 1, gossip: 2, session: 3, work: 4, client: 5 };
const FAMILIES = 6;
const OUTCOMES = ["running", "succeeded", "failed", "lost", "cancelled", "skipped"];
const CAUSES = ["scheduled", "catch-up", "manual", "chain", "backfill"];

async function inflate(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// parts cuts the payload where the lengths say.
function parts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    all.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return all;
}

// eachNumber calls f with each varint of a column. Numbers may need more than 32 bits.
function eachNumber(column, f) {
  for (let at = 0, i = 0; at < column.length; i++) {
    let n = 0, scale = 1, b;
    do {
      b = column[at++];
      n += (b & 127) * scale;
      scale *= 128;
    } while (b > 127);
    f(n, i);
  }
}

class Run {
  constructor(payload) {
    const [picture, step, cause, at, sort, lane, peer, what, text, lengths, bytes] = parts(payload);
    Object.assign(this, JSON.parse(new TextDecoder().decode(picture)));
    const n = (this.n = this.records);
    this.step = new Uint32Array(n);
    this.at = new Float64Array(n);
    this.kind = new Uint8Array(n);
    this.family = new Uint8Array(n);
    this.lane = new Uint16Array(n);
    eachNumber(step, (d, i) => (this.step[i] = d + (i ? this.step[i - 1] : 0)));
    eachNumber(at, (d, i) => (this.at[i] = d + (i ? this.at[i - 1] : 0)));
    sort.forEach((b, i) => ((this.kind[i] = b & 15), (this.family[i] = b >> 4)));
    eachNumber(lane, (l, i) => (this.lane[i] = l));
    this.readWords(lengths, bytes, { peer, what, text });
    this.linkCauses(cause);
    this.sortIntoLanes();
  }

  // readWords resolves the columns that hold words. One that is used for the first time
  // is not numbered there, so the three have to be walked through together.
  readWords(lengths, bytes, columns) {
    const ends = [];
    let end = 0;
    eachNumber(lengths, (l) => ends.push((end += l)));
    this.wordEnds = Uint32Array.from(ends);
    this.wordBytes = bytes;
    this.wordCache = new Map();
    const names = Object.keys(columns);
    for (const name of names) {
      const raw = new Int32Array(this.n);
      eachNumber(columns[name], (w, i) => (raw[i] = w));
      this[name] = raw;
    }
    let next = 0;
    for (let i = 0; i < this.n; i++) {
      for (const name of names) {
        const w = this[name][i];
        this[name][i] = w === 1 ? next++ : w === 0 ? -1 : w - 2;
      }
    }
    this.laneOfName = new Map(this.lanes.map((l, i) => [l.name, i]));
  }

  // word is the text of a number; -1 is none.
  word(n) {
    if (n < 0) return "";
    let text = this.wordCache.get(n);
    if (text === undefined) {
      text = new TextDecoder().decode(this.wordBytes.subarray(n ? this.wordEnds[n - 1] : 0, this.wordEnds[n]));
      if (this.wordCache.size > 50000) this.wordCache.clear();
      this.wordCache.set(n, text);
    }
    return text;
  }

  // linkCauses finds the row of each cause: -1 where there is none, -2 where it was left
  // out. effects are the other way round: those of row i are effectRows from effectStart[i].
  linkCauses(column) {
    const n = this.n;
    this.cause = new Int32Array(n);
    this.causeStep = new Uint32Array(n);
    this.effectStart = new Uint32Array(n + 1);
    eachNumber(column, (back, i) => {
      this.causeStep[i] = back ? this.step[i] - back : 0;
      const row = back ? this.rowOfStep(this.causeStep[i], i) : -1;
      this.cause[i] = row;
      if (row >= 0) this.effectStart[row + 1]++;
    });
    for (let i = 0; i < n; i++) this.effectStart[i + 1] += this.effectStart[i];
    const fill = this.effectStart.slice();
    this.effectRows = new Uint32Array(this.effectStart[n]);
    for (let i = 0; i < n; i++) {
      if (this.cause[i] >= 0) this.effectRows[fill[this.cause[i]]++] = i;
    }
  }

  // rowOfStep is the row of a step, -2 when it was left out. Rows before guess end there.
  rowOfStep(step, guess = this.n) {
    if (this.n && step <= this.n && this.step[step - 1] === step) return step - 1; // nothing was left out up to it
    let lo = 0, hi = guess;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.step[mid] < step) lo = mid + 1;
      else hi = mid;
    }
    return this.step[lo] === step ? lo : -2;
  }

  effects(row) {
    return this.effectRows.subarray(this.effectStart[row], this.effectStart[row + 1]);
  }

  // chain is the row and its causes, the latest first.
  chain(row, limit = 400) {
    const rows = [];
    for (let r = row; r >= 0 && rows.length < limit; r = this.cause[r]) rows.push(r);
    return rows;
  }

  // sortIntoLanes lists the rows of each lane, in order: those of lane l are laneRows from
  // laneStart[l].
  sortIntoLanes() {
    const lanes = this.lanes.length;
    this.laneStart = new Uint32Array(lanes + 1);
    for (let i = 0; i < this.n; i++) this.laneStart[this.lane[i] + 1]++;
    for (let l = 0; l < lanes; l++) this.laneStart[l + 1] += this.laneStart[l];
    const fill = this.laneStart.slice();
    this.laneRows = new Uint32Array(this.n);
    for (let i = 0; i < this.n; i++) this.laneRows[fill[this.lane[i]]++] = i;
  }

  rowsOfLane(lane) {
    return this.laneRows.subarray(this.laneStart[lane], this.laneStart[lane + 1]);
  }

  // firstAt is the first row not before a moment.
  firstAt(t) {
    return lowerBound(this.n, (i) => this.at[i] >= t);
  }

  // firstOfLane is the place among the rows of a lane of the first not before a moment.
  firstOfLane(rows, t) {
    return lowerBound(rows.length, (i) => this.at[rows[i]] >= t);
  }

  // otherEnd is the lane at the other end of a frame; -1 when that is none.
  otherEnd(row) {
    const lane = this.laneOfName.get(this.word(this.peer[row]));
    return lane === undefined ? -1 : lane;
  }

  // title says in a few words what an event is.
  title(row) {
    return this.word(this.what[row]);
  }

  message(row) {
    return this.word(this.text[row]);
  }

  // who says where an event happened.
  who(row) {
    const lane = this.lanes[this.lane[row]].name || "the world";
    const peer = this.word(this.peer[row]);
    if (!peer) return lane;
    switch (this.kind[row]) {
      case KIND.sent: case KIND.told: return `${lane} → ${peer}`;
      case KIND.arrived: case KIND.dropped: return `${peer} → ${lane}`;
    }
    return `${lane} · ${peer}`;
  }
}

// lowerBound is the first of n places at which the condition, false before, is true.
function lowerBound(n, isTrue) {
  let lo = 0, hi = n;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (isTrue(mid)) hi = mid;
    else lo = mid + 1;
  }
  return lo;
}

// clock shows a moment as a trace does, with as many digits as asked for.
function clock(micros, digits = 3) {
  const sign = micros < 0 ? "-" : "";
  const all = Math.abs(Math.round(micros));
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const text = `${sign}${two(all / 3.6e9)}:${two((all / 6e7) % 60)}:${two((all / 1e6) % 60)}`;
  return digits ? text + "." + String(all % 1e6).padStart(6, "0").slice(0, digits) : text;
}

// span shows a length of time in the unit that suits it.
function span(micros) {
  const abs = Math.abs(micros);
  const say = (n, unit) => `${Number(n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0))} ${unit}`;
  if (abs < 1000) return say(micros, "µs");
  if (abs < 1e6) return say(micros / 1e3, "ms");
  if (abs < 120e6) return say(micros / 1e6, "s");
  if (abs < 7200e6) return say(micros / 6e7, "min");
  return say(micros / 3.6e9, "h");
}

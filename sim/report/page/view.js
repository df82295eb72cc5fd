// This file holds what is looked at: the window of time, which rows are where, what is
// chosen. It changes when a person does something, and says so to those who draw.

const GUTTER = 132; // width of the names at the left
const AXIS = 26;
const MIN_SPAN = 20; // µs
const ROOMY = 34, TIGHT = 16; // heights of lanes

class View {
  constructor(run, changed) {
    this.run = run;
    this.changed = changed;
    this.from = 0;
    this.to = this.whole();
    this.width = 800;
    this.families = [true, true, true, true, true, true];
    this.clientsOpen = false;
    this.chosen = null; // { type, i }: an event (its row), bar, due, fault, reign or absence
    this.lane = -1; // where the keyboard is
    this.job = -1; // that is pointed out
    this.named = { lanes: [], jobs: [] }; // by the evidence that is looked at
    this.hover = null;
    this.scroll = { lanes: 0, jobs: 0 };
    this.height = { lanes: 300, jobs: 200 };
    this.found = []; // rows that a search found
    this.band = packBands(run);
    this.layLanes();
    this.layJobs();
  }

  whole() {
    return Math.max(this.run.end, 1000) * 1.005;
  }

  // Time and width.

  x(t) {
    return GUTTER + ((t - this.from) / (this.to - this.from)) * (this.width - GUTTER);
  }

  t(x) {
    return this.from + ((x - GUTTER) / (this.width - GUTTER)) * (this.to - this.from);
  }

  // perPixel is how many microseconds a pixel stands for.
  perPixel() {
    return (this.to - this.from) / Math.max(1, this.width - GUTTER);
  }

  show(from, to) {
    const whole = this.whole();
    const length = Math.min(whole, Math.max(MIN_SPAN, to - from));
    this.from = Math.max(0, Math.min(whole - length, from + (to - from - length) / 2));
    this.to = this.from + length;
    this.changed();
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(share) {
    const d = (this.to - this.from) * share;
    this.show(this.from + d, this.to + d);
  }

  all() {
    this.show(0, this.whole());
  }

  // reveal brings a moment into the window; span, when given, is how much to show of the
  // time around it, unless less is shown already.
  reveal(t, span) {
    let length = this.to - this.from;
    if (span) length = Math.min(length, span);
    if (!span && t >= this.from + length * 0.05 && t <= this.to - length * 0.05) return this.changed();
    this.show(t - length / 2, t + length / 2);
  }

  // Lanes.

  // layLanes gives each lane its place. There are no two sizes of servers: they are few.
  layLanes() {
    const { lanes } = this.run;
    this.laneTop = new Float64Array(lanes.length);
    this.laneHeight = new Float64Array(lanes.length);
    this.shown = []; // in order from the top
    const agents = lanes.filter((l) => l.kind === "agent").length;
    const servers = lanes.filter((l) => l.kind === "server").length;
    const room = this.height.lanes - AXIS - this.faultsHeight() - 24;
    const even = room / Math.max(1, agents + servers);
    const server = Math.min(96, Math.max(ROOMY, even));
    const agent = Math.min(96, Math.max(TIGHT, (room - servers * server) / Math.max(1, agents)));
    let y = AXIS + this.faultsHeight();
    lanes.forEach((lane, i) => {
      const height = { world: 0, server, agent, client: this.clientsOpen ? TIGHT + 4 : 0 }[lane.kind];
      this.laneTop[i] = y;
      this.laneHeight[i] = height;
      if (height) this.shown.push(i);
      y += height;
    });
    this.clients = lanes.map((l, i) => i).filter((i) => lanes[i].kind === "client");
    if (this.clients.length) {
      this.clientsTop = this.laneTop[this.clients[0]];
      for (const i of this.clients) this.laneTop[i] += 22;
      y += 22;
    }
    this.lanesHeight = y;
    this.scrollTo("lanes", this.scroll.lanes);
  }

  faultsHeight() {
    return this.band.levels ? this.band.levels * 17 + 6 : 0;
  }

  // laneY is the middle of a lane on the canvas; a client that is folded away is where
  // all clients are.
  laneY(lane) {
    const y = this.laneHeight[lane] ? this.laneTop[lane] + this.laneHeight[lane] / 2 : this.worldOrClients(lane);
    return y - this.scroll.lanes;
  }

  worldOrClients(lane) {
    if (this.run.lanes[lane].kind === "client") return this.clientsTop + 11;
    return AXIS + this.faultsHeight() / 2 + this.scroll.lanes;
  }

  // laneAt is the lane at a height of the canvas, -1 if there is none.
  laneAt(y) {
    const at = y + this.scroll.lanes;
    if (y < AXIS + this.faultsHeight()) return y > AXIS ? 0 : -1;
    for (const i of this.shown) if (at >= this.laneTop[i] && at < this.laneTop[i] + this.laneHeight[i]) return i;
    return -1;
  }

  isClientsHead(y) {
    const at = y + this.scroll.lanes;
    return this.clients.length > 0 && at >= this.clientsTop && at < this.clientsTop + 22;
  }

  // Jobs.

  layJobs() {
    this.jobBars = this.run.jobs.map(() => []);
    this.jobDues = this.run.jobs.map(() => []);
    this.run.bars.forEach((b, i) => this.jobBars[b.job].push(i));
    this.run.dues.forEach((d, i) => this.jobDues[d.job].push(i));
    this.barLevel = new Uint8Array(this.run.bars.length);
    this.longest = this.jobBars.map((bars) => this.packBars(bars));
    this.dueOfExecution = new Map();
    this.run.dues.forEach((d, i) => d.exec && this.dueOfExecution.set(d.exec, i));
    this.jobDues.forEach((list) => list.sort((a, b) => this.run.dues[a].at - this.run.dues[b].at));
    this.jobTop = new Float64Array(this.run.jobs.length + 1);
    this.jobLevels = this.jobBars.map((bars) => 1 + bars.reduce((most, i) => Math.max(most, this.barLevel[i]), 0));
    let y = 8;
    this.jobLevels.forEach((levels, j) => ((this.jobTop[j] = y), (y += 17 + levels * 13)));
    this.jobTop[this.run.jobs.length] = y;
    this.jobsHeight = y + 6;
  }

  // packBars puts bars that overlap below each other, four deep, and returns the length
  // of the longest.
  packBars(bars) {
    const ends = [];
    let longest = 0;
    bars.sort((a, b) => this.barFrom(a) - this.barFrom(b));
    for (const i of bars) {
      const from = this.barFrom(i), to = this.barTo(i);
      longest = Math.max(longest, to - from);
      let level = ends.findIndex((end) => end <= from);
      if (level < 0) level = ends.length < 4 ? ends.length : ends.indexOf(Math.min(...ends));
      ends[level] = to;
      this.barLevel[i] = level;
    }
    return longest;
  }

  barFrom(i) {
    const b = this.run.bars[i];
    return b.assigned >= 0 && (b.started < 0 || b.assigned <= b.started) ? b.assigned : b.started;
  }

  barTo(i) {
    const b = this.run.bars[i];
    const over = b.assigned < 0 ? 0 : b.over < 0 ? this.run.end : b.over;
    const ended = b.started < 0 ? 0 : b.ended < 0 ? this.run.end : b.ended;
    return Math.max(over, ended);
  }

  jobAt(y) {
    const at = y + this.scroll.jobs;
    const j = lowerBound(this.run.jobs.length, (i) => this.jobTop[i + 1] > at);
    return j < this.run.jobs.length && at >= this.jobTop[j] ? j : -1;
  }

  // Scrolling.

  scrollTo(which, y) {
    const most = { lanes: this.lanesHeight, jobs: this.jobsHeight }[which] - this.height[which];
    this.scroll[which] = Math.max(0, Math.min(Math.max(0, most), y));
    this.changed();
  }

  revealLane(lane) {
    if (lane < 0) return;
    if (this.run.lanes[lane].kind === "client" && !this.clientsOpen) return;
    const top = this.laneTop[lane] - AXIS - this.faultsHeight() - 8;
    const bottom = this.laneTop[lane] + this.laneHeight[lane] + 8 - this.height.lanes;
    if (this.scroll.lanes > top) this.scrollTo("lanes", top);
    else if (this.scroll.lanes < bottom) this.scrollTo("lanes", bottom);
  }

  revealJob(job) {
    if (job < 0) return;
    const top = this.jobTop[job] - 4, bottom = this.jobTop[job + 1] + 4 - this.height.jobs;
    if (this.scroll.jobs > top) this.scrollTo("jobs", top);
    else if (this.scroll.jobs < bottom) this.scrollTo("jobs", bottom);
  }
}

// packBands puts the faults that last at one time below each other, four deep.
function packBands(run) {
  const ends = [];
  const level = run.faults.map((f) => {
    const to = f.to < 0 ? run.end : Math.max(f.to, f.from + run.end / 400);
    let l = ends.findIndex((end) => end <= f.from);
    if (l < 0) l = ends.length < 4 ? ends.length : 3;
    ends[l] = Math.max(to, ends[l] || 0);
    return l;
  });
  // next is when the strip is taken again: as far as the words of a fault may reach.
  const next = run.faults.map((f, i) => run.faults.find((g, k) => k > i && level[k] === level[i])?.from ?? run.end);
  return { level, next, levels: ends.length };
}

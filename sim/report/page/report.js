// This file puts the page together: it unpacks the run, draws when something changed, and
// does what was asked for.

class App {
  constructor(run) {
    this.run = run;
    const byId = (id) => document.getElementById(id);
    this.nodes = Object.fromEntries(["picture", "panel", "splitter", "search", "found", "help", "window", "says", "tip", "table", "caption", "rows", "stage"]
      .map((id) => [id, byId(id)]));
    this.canvas = { lanes: byId("lanes"), jobs: byId("jobs"), map: byId("map") };
    this.times = { frames: 0, last: 0, worst: 0 };
    this.view = new View(run, () => this.invalidate());
    this.paint = new Paint(document.documentElement);
    this.arrows = new Arrows(run, this.view, this.paint);
    this.lanes = new Lanes(run, this.view, this.paint, this.arrows);
    this.jobs = new Jobs(run, this.view, this.paint);
    this.minimap = new Minimap(run, this.view, this.paint);
    this.panel = new Panel(run, this.view, this.nodes.panel, (chosen, reveal) => this.choose(chosen, reveal));
    this.bindHead();
    this.input = new Input(this);
    this.split(run.jobs.length ? Math.min(0.85, Math.max(0.38, 1 - (this.view.jobsHeight + 20) / 760)) : 1);
    new ResizeObserver(() => this.measure()).observe(this.nodes.stage);
    this.measure();
    this.followAddress();
  }

  // Drawing.

  invalidate() {
    if (this.waiting || !this.minimap) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.draw();
    });
  }

  draw() {
    const began = performance.now();
    this.lanes.draw(this.canvas.lanes);
    if (this.run.jobs.length) this.jobs.draw(this.canvas.jobs);
    this.minimap.draw(this.canvas.map);
    const { view, run } = this;
    const events = run.firstAt(view.to) - run.firstAt(view.from);
    const digits = view.to - view.from > 60e6 ? 0 : view.to - view.from > 60e3 ? 3 : 6;
    this.nodes.window.textContent = `${clock(view.from, digits)} – ${clock(Math.min(view.to, run.end), digits)} · ${events.toLocaleString("en")} events`;
    this.times.last = performance.now() - began;
    this.times.worst = Math.max(this.times.worst, this.times.last);
    if (!this.times.frames++) this.times.first = performance.now();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.fillTable(), 250);
  }

  measure() {
    this.view.height.lanes = this.canvas.lanes.getBoundingClientRect().height;
    this.view.height.jobs = this.canvas.jobs.getBoundingClientRect().height;
    this.view.layLanes();
    this.invalidate();
  }

  split(share) {
    this.share = share;
    this.canvas.lanes.style.flexGrow = share;
    this.canvas.jobs.style.flexGrow = 1 - share;
    this.canvas.jobs.hidden = this.nodes.splitter.hidden = !this.run.jobs.length;
    this.nodes.splitter.setAttribute("aria-valuenow", Math.round(share * 100));
    this.measure();
  }

  // Choosing.

  // choose makes something what the panel tells of, and with reveal brings it into view.
  choose(chosen, reveal) {
    this.view.chosen = chosen;
    if (chosen) {
      if (chosen.type === "event") this.view.lane = this.run.lane[chosen.i] || this.view.lane;
      if (chosen.type === "bar") this.view.job = this.run.bars[chosen.i].job;
      if (chosen.type === "due") this.view.job = this.run.dues[chosen.i].job;
      if (reveal) this.reveal(chosen);
    }
    this.panel.show();
    this.say(chosen ? this.nodes.panel.querySelector("h2").textContent : "");
    history.replaceState(null, "", chosen && chosen.type === "event" ? `#step=${this.run.step[chosen.i]}` : "#");
    this.invalidate();
  }

  reveal({ type, i }) {
    const { run, view } = this;
    const t = { event: () => run.at[i], bar: () => view.barFrom(i), due: () => run.dues[i].at, fault: () => run.faults[i].from, reign: () => run.leaders[i].from, down: () => run.down[i].from }[type]();
    view.reveal(t);
    if (type === "event") view.revealLane(run.lane[i]);
    if (view.job >= 0) view.revealJob(view.job);
  }

  // at is what lies under a point: the last thing drawn there, things before areas.
  at(name, x, y) {
    if (x < GUTTER) return null;
    const targets = (name === "lanes" ? this.lanes : this.jobs).targets;
    const hits = targets.filter((t) => x >= t.x && x < t.x + t.w && y >= t.y && y < t.y + t.h);
    const things = hits.filter((t) => !t.weak).sort((a, b) => Math.abs(a.x + a.w / 2 - x) - Math.abs(b.x + b.w / 2 - x));
    if (things.length) return things[0];
    const row = name === "lanes" ? this.arrows.near(x, y) : -1;
    return row >= 0 ? { type: "event", i: row } : hits[hits.length - 1] || null;
  }

  click(name, x, y) {
    const { view } = this;
    if (name === "lanes" && view.isClientsHead(y)) {
      view.clientsOpen = !view.clientsOpen;
      view.layLanes();
      return;
    }
    if (x < GUTTER) {
      if (name === "lanes") view.lane = view.lane === view.laneAt(y) ? -1 : view.laneAt(y);
      else view.job = view.job === view.jobAt(y) ? -1 : view.jobAt(y);
      return this.invalidate();
    }
    const hit = this.at(name, x, y) || (name === "lanes" ? this.crowd(x, y) : null);
    if (hit?.type === "evidence") return this.goToEvidence(this.run.evidence[hit.i]);
    this.choose(hit && { type: hit.type, i: hit.i });
    this.canvas[name].focus({ preventScroll: true });
  }

  // crowd is the event closest to a point of a lane in which events are not drawn one by one.
  crowd(x, y) {
    const lane = this.view.laneAt(y);
    if (lane < 0) return null;
    const row = nearest(this.run, lane, this.view.t(x));
    return row >= 0 && Math.abs(this.view.x(this.run.at[row]) - x) < 8 ? { type: "event", i: row } : null;
  }

  point(name, x, y) {
    this.view.cursor = x >= GUTTER ? this.view.t(x) : undefined;
    const hit = this.at(name, x, y);
    this.canvas[name].style.cursor = hit && !hit.weak ? "pointer" : "";
    this.showTip(hit, name, x, y);
    this.invalidate();
  }

  showTip(hit, name, x, y) {
    const { tip } = this.nodes;
    tip.hidden = !hit;
    if (!hit) return;
    tip.textContent = this.tipText(hit);
    const canvas = this.canvas[name];
    const left = canvas.offsetLeft + x + 14, top = canvas.offsetTop + y + 16;
    tip.style.left = `${Math.min(left, canvas.offsetLeft + canvas.clientWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(top, this.nodes.stage.clientHeight - tip.offsetHeight - 4)}px`;
  }

  tipText({ type, i }) {
    const { run } = this;
    switch (type) {
      case "event": return `${clock(run.at[i], 6)}  ${run.who(i)}  ${run.title(i)}`;
      case "bar": return `${attemptName(run, i)} on ${run.lanes[run.bars[i].lane].name}: ${OUTCOMES[run.bars[i].outcome]}`;
      case "due": return `${clock(run.dues[i].at)}  ${run.jobs[run.dues[i].job].name}, ${run.dues[i].decided < 0 ? "due, and never decided" : run.dues[i].reason >= 0 ? "skipped: " + run.reasons[run.dues[i].reason].replaceAll("_", " ") : CAUSES[run.dues[i].cause]}`;
      case "fault": return `${run.faults[i].text}, from ${clock(run.faults[i].from)}`;
      case "evidence": return `${run.evidence[i].promise} is broken: ${run.evidence[i].text}`;
      case "reign": return `${run.lanes[run.leaders[i].lane].name} leads in term ${run.leaders[i].term}`;
      case "down": return `${run.lanes[run.down[i].lane].name} ${run.down[i].why}`;
    }
  }

  leave() {
    this.view.cursor = undefined;
    this.nodes.tip.hidden = true;
    this.invalidate();
  }

  // What keys do.

  // middle is what a zoom by the keyboard keeps in place: what is chosen, if it is in sight.
  middle() {
    const { view, run } = this;
    const t = view.chosen?.type === "event" ? run.at[view.chosen.i] : view.chosen?.type === "bar" ? view.barFrom(view.chosen.i) : -1;
    return t >= view.from && t <= view.to ? t : undefined;
  }

  moveLane(by) {
    const { view } = this;
    const lanes = view.shown;
    const k = lanes.indexOf(view.lane);
    view.lane = lanes[Math.max(0, Math.min(lanes.length - 1, k < 0 ? (by > 0 ? 0 : lanes.length - 1) : k + by))] ?? -1;
    view.revealLane(view.lane);
    if (view.lane >= 0) this.say("lane " + this.run.lanes[view.lane].name);
    this.invalidate();
  }

  // stepLane goes to the next event of the lane, of those families that are shown.
  stepLane(by) {
    const { view, run } = this;
    if (view.lane < 0) this.moveLane(1);
    if (view.lane < 0) return;
    const rows = run.rowsOfLane(view.lane);
    const on = view.chosen?.type === "event" && run.lane[view.chosen.i] === view.lane;
    let k = on ? rows.indexOf(view.chosen.i) + by : run.firstOfLane(rows, by > 0 ? view.from : view.to) - (by > 0 ? 0 : 1);
    while (k >= 0 && k < rows.length && !view.families[run.family[rows[k]]]) k += by;
    if (rows[k] !== undefined) this.choose({ type: "event", i: rows[k] }, true);
  }

  goToCause() {
    const row = this.view.chosen?.type === "event" ? this.run.cause[this.view.chosen.i] : -1;
    if (row >= 0) this.choose({ type: "event", i: row }, true);
  }

  goToEffect() {
    const row = this.view.chosen?.type === "event" ? this.run.effects(this.view.chosen.i)[0] : undefined;
    if (row !== undefined) this.choose({ type: "event", i: row }, true);
  }

  enter() {
    if (!this.view.chosen) this.stepLane(1);
    if (this.view.chosen) this.nodes.panel.focus();
  }

  escape() {
    if (this.nodes.help.open) return this.nodes.help.close();
    if (document.activeElement === this.nodes.search) return this.canvas.lanes.focus();
    if (this.view.chosen) this.choose(null);
    else Object.assign(this.view, { lane: -1, job: -1, named: { lanes: [], jobs: [] } });
    this.canvas.lanes.focus({ preventScroll: true });
    this.invalidate();
  }

  // Evidence.

  nextEvidence() {
    const all = this.run.evidence;
    if (!all.length) return this.say("no promise was broken");
    this.evidenceAt = ((this.evidenceAt ?? -1) + 1) % all.length;
    this.goToEvidence(all[this.evidenceAt]);
  }

  // goToEvidence brings a breach into view, with the member, the job and the attempt that
  // it names.
  goToEvidence(e) {
    const { run, view } = this;
    const { lanes, jobs } = namesIn(run, e.text);
    view.lane = lanes[0] ?? -1;
    view.job = jobs[0] ?? -1;
    view.named = { lanes, jobs };
    const bar = attemptIn(run, e.text);
    view.reveal(e.at, 20e6);
    view.revealLane(view.lane);
    view.revealJob(view.job);
    this.choose(bar >= 0 ? { type: "bar", i: bar } : null);
    this.say(`${e.promise}: ${e.text}`);
  }

  // Searching.

  search(text) {
    const { run, view } = this;
    const moment = readMoment(text);
    if (moment !== undefined) {
      view.found = [];
      view.reveal(moment, 20e6);
      return this.foundText("went to " + clock(moment));
    }
    if (/^#?\d+$/.test(text.trim())) {
      const row = run.rowOfStep(+text.trim().replace("#", ""));
      if (row >= 0) return this.choose({ type: "event", i: row }, true), this.foundText("step " + text.trim());
    }
    view.found = find(run, text.trim());
    this.wanted = text;
    this.foundText(text ? `${view.found.length.toLocaleString("en")} events` : "");
    this.nextFound(1);
  }

  nextFound(by) {
    const { view, run } = this;
    if (!view.found.length) return this.invalidate();
    const now = view.chosen?.type === "event" ? view.chosen.i : run.firstAt(view.from) - (by > 0 ? 1 : 0);
    let k = by > 0 ? lowerBound(view.found.length, (i) => view.found[i] > now) : lowerBound(view.found.length, (i) => view.found[i] >= now) - 1;
    k = (k + view.found.length) % view.found.length;
    this.foundText(`${(k + 1).toLocaleString("en")} of ${view.found.length.toLocaleString("en")} events`);
    this.choose({ type: "event", i: view.found[k] }, true);
  }

  foundText(text) {
    this.nodes.found.textContent = text;
  }

  // The rest of the page.

  bindHead() {
    const on = (id, act) => document.getElementById(id).addEventListener("click", act);
    on("theme", () => this.toggleTheme());
    on("keys", () => this.nodes.help.showModal());
    on("fit", () => this.view.all());
    on("tabular", () => this.toggleTable());
    document.querySelectorAll("[data-family]").forEach((box) => box.addEventListener("change", () => {
      this.view.families[+box.dataset.family] = box.checked;
      this.invalidate();
    }));
    document.querySelectorAll("[data-evidence]").forEach((button, k) => button.addEventListener("click", () => {
      this.evidenceAt = this.run.evidence.findIndex((e) => e.promise === button.dataset.promise && e.at === +button.dataset.evidence && e.text === button.dataset.text);
      if (this.evidenceAt >= 0) this.goToEvidence(this.run.evidence[this.evidenceAt]);
    }));
    this.nodes.search.addEventListener("keydown", (e) => {
      if (e.key !== "Enter") return;
      if (this.wanted === e.target.value && this.view.found.length) this.nextFound(e.shiftKey ? -1 : 1);
      else this.search(e.target.value);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
  }

  toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    this.repaint();
  }

  repaint() {
    this.paint.read();
    this.invalidate();
  }

  toggleTable() {
    this.nodes.table.hidden = !this.nodes.table.hidden;
    document.getElementById("tabular").setAttribute("aria-pressed", String(!this.nodes.table.hidden));
    this.fillTable();
  }

  fillTable() {
    if (!this.nodes.table.hidden) drawTable(this.run, this.view, this.nodes.rows, this.nodes.caption, (c, r) => this.choose(c, r));
  }

  // say tells a screen reader what the picture now shows.
  say(text) {
    this.nodes.says.textContent = text;
  }

  // followAddress chooses the event that the address names: page.html#step=123.
  followAddress() {
    const step = /^#step=(\d+)$/.exec(location.hash);
    const row = step ? this.run.rowOfStep(+step[1]) : -1;
    if (row < 0) return;
    this.view.reveal(this.run.at[row], 5e6);
    this.choose({ type: "event", i: row }, true);
  }
}

async function openPage() {
  const data = document.getElementById("data");
  try {
    const run = new Run(await inflate(data.textContent.trim()));
    data.remove(); // it is no longer needed, and large
    window.report = new App(run);
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    document.getElementById("says").textContent = "The picture cannot be drawn: " + error.message;
    document.getElementById("says").classList.add("seen");
    throw error;
  }
}

openPage();

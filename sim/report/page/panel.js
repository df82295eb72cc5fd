// This file writes what is chosen into the panel beside the picture, and the events of the
// window into a table, for whom a picture says little.

const TABLE_ROWS = 300;

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") node.addEventListener("click", value);
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== "" && c != null));
  return node;
}

class Panel {
  constructor(run, view, root, choose) {
    Object.assign(this, { run, view, root, choose });
  }

  show() {
    const chosen = this.view.chosen;
    this.root.hidden = !chosen;
    if (!chosen) return;
    const write = { event: this.event, bar: this.attempt, due: this.due, fault: this.fault, reign: this.reign, down: this.down }[chosen.type];
    const body = write.call(this, chosen.i);
    this.root.replaceChildren(
      el("div", { class: "panel-head" },
        el("h2", {}, body.title),
        el("button", { class: "icon", "aria-label": "close", title: "close (Esc)", onclick: () => this.choose(null) }, "×")),
      this.facts(body.facts), ...body.more);
  }

  facts(pairs) {
    const list = el("dl");
    for (const [name, value] of pairs) {
      if (value === "" || value === undefined || value === null) continue;
      list.append(el("dt", {}, name), el("dd", {}, value));
    }
    return list;
  }

  event(row) {
    const { run } = this;
    const chain = run.chain(row).slice(1);
    const first = chain.length ? chain[chain.length - 1] : row;
    const effects = Array.from(run.effects(row));
    const message = run.message(row);
    return {
      title: run.title(row),
      facts: [
        ["step", String(run.step[row])], ["moment", clock(run.at[row], 6)], ["where", run.who(row)],
        ["kind", KIND_WORDS[run.kind[row]] + (run.family[row] ? ", " + FAMILY_NAMES[run.family[row]] : "")],
      ],
      more: [
        message ? el("pre", { class: "message" }, spread(message)) : "",
        this.attemptLink(message || run.title(row)),
        el("h3", {}, "Because of"),
        chain.length ? this.list(chain, row) : el("p", { class: "soft" }, this.noCause(row)),
        chain.length && run.cause[first] === -2 ? el("p", { class: "soft" }, this.noCause(first)) : "",
        el("h3", {}, effects.length ? `Brought about (${effects.length})` : "Brought about"),
        effects.length ? this.list(effects.slice(0, 100), row) : el("p", { class: "soft" }, "nothing that was recorded"),
      ],
    };
  }

  noCause(row) {
    if (this.run.cause[row] === -2) return `step ${this.run.causeStep[row]}, which was left out of this page`;
    return "the clock, or the scenario";
  }

  list(rows, from) {
    const items = rows.map((row) => el("li", {}, this.link(row, from)));
    return el("ol", { class: "events" }, ...items);
  }

  // link leads to an event; how far in time it is from another is what one wants to know.
  link(row, from) {
    const { run } = this;
    const d = run.at[row] - run.at[from];
    return el("button", { class: "event", "data-row": row, onclick: () => this.choose({ type: "event", i: row }, true) },
      el("span", { class: "when" }, d === 0 ? "same moment" : (d > 0 ? "+" : "−") + span(Math.abs(d))),
      el("span", { class: "swatch family-" + FAMILY_NAMES[run.family[row]] }),
      el("span", { class: "what" }, run.title(row)),
      el("span", { class: "who" }, run.who(row)));
  }

  attemptLink(text) {
    const named = /attempt=\{execution=(\d+)(?: slot=(\d+))? n=(\d+)/.exec(text);
    const bar = named
      ? this.run.bars.findIndex((b) => b.exec === +named[1] && b.slot === +(named[2] || 0) && b.n === +named[3])
      : attemptIn(this.run, text);
    if (bar < 0) return "";
    return el("button", { class: "link", onclick: () => this.choose({ type: "bar", i: bar }, true) }, "show the attempt " + attemptName(this.run, bar));
  }

  attempt(i) {
    const { run } = this;
    const b = run.bars[i];
    const due = this.view.dueOfExecution.get(b.exec);
    const length = b.started < 0 || b.ended < 0 ? "" : ` (${span(b.ended - b.started)})`;
    const steps = [
      b.started >= 0 ? processRow(run, b, "started") : -1, b.ended >= 0 ? processRow(run, b, "ended") : -1,
      b.assigned >= 0 ? stateRow(run, b, b.assigned) : -1, b.over >= 0 ? stateRow(run, b, b.over) : -1,
    ].filter((row, k, all) => row >= 0 && all.indexOf(row) === k).sort((x, y) => x - y);
    return {
      title: "Attempt " + attemptName(run, i),
      facts: [
        ["outcome", `${GLYPHS[b.outcome]} ${OUTCOMES[b.outcome]}` + (b.reason >= 0 ? ` (${run.reasons[b.reason]})` : "")],
        ["member", run.lanes[b.lane].name],
        ["assigned", b.assigned < 0 ? "never, as far as the log says" : clock(b.assigned, 6)],
        ["process", b.started < 0 ? "never started" : clock(b.started, 6) + " – " + (b.ended < 0 ? "the end of the run" : clock(b.ended, 6)) + length],
        ["it ended", b.exit >= 0 ? run.reasons[b.exit] : ""],
        ["known to end", b.over < 0 ? "never" : clock(b.over, 6)],
        ["cause", due === undefined ? "" : CAUSES[run.dues[due].cause]],
        ["due", due === undefined ? "" : clock(run.dues[due].at, 6)],
      ],
      more: [el("h3", {}, "In the trace"), steps.length ? this.list(steps, steps[0]) : el("p", { class: "soft" }, "its events were left out"), this.siblings(i)],
    };
  }

  // siblings are the other attempts of the execution.
  siblings(i) {
    const { run, view } = this;
    const others = view.jobBars[run.bars[i].job].filter((k) => k !== i && run.bars[k].exec === run.bars[i].exec);
    if (!others.length) return "";
    const items = others.map((k) => el("li", {}, el("button", { class: "event", onclick: () => this.choose({ type: "bar", i: k }, true) },
      el("span", { class: "when" }, OUTCOMES[run.bars[k].outcome]), el("span", { class: "outcome " + OUTCOMES[run.bars[k].outcome] }, GLYPHS[run.bars[k].outcome]),
      el("span", { class: "what" }, attemptName(run, k)), el("span", { class: "who" }, run.lanes[run.bars[k].lane].name))));
    return el("div", {}, el("h3", {}, "Other attempts of the execution"), el("ol", { class: "events" }, ...items));
  }

  due(i) {
    const { run, view } = this;
    const d = run.dues[i];
    const attempts = d.exec ? view.jobBars[d.job].filter((k) => run.bars[k].exec === d.exec) : [];
    return {
      title: `${run.jobs[d.job].name}, ${d.decided < 0 ? "never decided" : d.reason >= 0 ? "skipped" : CAUSES[d.cause]}`,
      facts: [
        ["due", clock(d.at, 6) + (d.to > d.at ? " to " + clock(d.to, 6) : "")],
        ["wall clock", wall(run, d.at)],
        ["decided", d.decided < 0 ? "never, as far as the log says" : clock(d.decided, 6) + (d.decided > d.at ? ` (${span(d.decided - d.at)} later)` : "")],
        ["skipped because of", d.reason >= 0 && d.decided >= 0 ? run.reasons[d.reason].replaceAll("_", " ") : ""],
        ["execution", d.exec ? String(d.exec) : ""],
      ],
      more: attempts.map((k) => el("button", { class: "link", onclick: () => this.choose({ type: "bar", i: k }, true) },
        `${GLYPHS[run.bars[k].outcome]} attempt ${attemptName(run, k)} on ${run.lanes[run.bars[k].lane].name}`)),
    };
  }

  fault(i) {
    const { run } = this;
    const f = run.faults[i];
    const row = this.faultRow(f);
    return {
      title: f.text,
      facts: [
        ["fault", f.verb], ["from", clock(f.from)],
        ["to", f.to < 0 ? "the end: it was never mended" : `${clock(f.to)} (${span(f.to - f.from)})`],
        ["on", f.lanes.map((l) => run.lanes[l].name).join(", ") || "everybody"],
      ],
      more: row < 0 ? [] : [el("h3", {}, "In the trace"), this.list([row], row)],
    };
  }

  faultRow(f) {
    const { run } = this;
    for (let row = run.firstAt(f.from); row < run.n && run.at[row] <= f.from; row++) {
      if (run.kind[row] === KIND.faulted) return row;
    }
    return -1;
  }

  reign(i) {
    const { run } = this;
    const r = run.leaders[i];
    return {
      title: `${run.lanes[r.lane].name} leads in term ${r.term}`,
      facts: [["from", clock(r.from)], ["to", r.to < 0 ? "the end of the run" : `${clock(r.to)} (${span(r.to - r.from)})`]],
      more: this.around(r.lane, r.from, "It began with"),
    };
  }

  down(i) {
    const { run } = this;
    const d = run.down[i];
    return {
      title: `${run.lanes[d.lane].name} ${d.why}`,
      facts: [["from", clock(d.from)], ["to", d.to < 0 ? "the end of the run" : `${clock(d.to)} (${span(d.to - d.from)})`]],
      more: this.around(d.lane, d.from, "It began with"),
    };
  }

  around(lane, t, title) {
    const { run } = this;
    const rows = run.rowsOfLane(lane);
    const k = lowerBound(rows.length, (x) => run.at[rows[x]] >= t);
    const same = Array.from(rows.slice(k, k + 40)).filter((row) => run.at[row] === t && run.kind[row] === KIND.noted);
    return same.length ? [el("h3", {}, title), this.list(same, same[0])] : [];
  }
}

// drawTable lists the events of the window; of the lane that the keyboard is in, if it is
// in one.
function drawTable(run, view, body, caption, choose) {
  const lane = view.lane >= 0 ? run.rowsOfLane(view.lane) : null;
  const rows = [];
  let all = 0;
  const take = (row) => {
    if (!view.families[run.family[row]]) return;
    if (all++ < TABLE_ROWS) rows.push(row);
  };
  if (lane) for (let k = run.firstOfLane(lane, view.from); k < lane.length && run.at[lane[k]] <= view.to; k++) take(lane[k]);
  else for (let row = run.firstAt(view.from); row < run.n && run.at[row] <= view.to; row++) take(row);
  caption.textContent = `${all} events from ${clock(view.from)} to ${clock(view.to)}` +
    (lane ? ` of ${run.lanes[view.lane].name || "the world"}` : "") + (all > rows.length ? `; the first ${rows.length}` : "");
  body.replaceChildren(...rows.map((row) => el("tr", view.chosen?.type === "event" && view.chosen.i === row ? { class: "chosen" } : {},
    el("td", {}, el("button", { class: "link", onclick: () => choose({ type: "event", i: row }, true) }, String(run.step[row]))),
    el("td", {}, clock(run.at[row], 6)), el("td", {}, run.who(row)), el("td", {}, KIND_WORDS[run.kind[row]]),
    el("td", {}, run.title(row)), el("td", { class: "message" }, run.message(row).slice(0, 240)))));
}

function attemptName(run, i) {
  const b = run.bars[i];
  return `${run.jobs[b.job].name} ${b.exec}.${b.slot}.${b.n}`;
}

function wall(run, t) {
  return new Date(run.start + t / 1000).toISOString().replace("T", " ").replace(".000Z", "").replace("Z", "");
}

// spread breaks a message into a line a field, indented as deep as its braces.
function spread(text) {
  let depth = 0, out = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") depth++;
    if (c === "}" || c === "]") depth--;
    if (c === " " && /^[A-Za-z_]+=/.test(text.slice(i + 1, i + 40))) out += "\n" + "  ".repeat(depth);
    else out += c;
  }
  return out;
}

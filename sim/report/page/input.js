// This file turns what a person does with wheel, fingers, mouse and keys into changes of
// what is looked at.

const WHEEL = 0.0016;

class Input {
  constructor(app) {
    this.app = app;
    const { lanes, jobs, map } = app.canvas;
    for (const [name, canvas] of [["lanes", lanes], ["jobs", jobs]]) this.bindPicture(name, canvas);
    this.bindMap(map);
    this.bindSplitter(app.nodes.splitter);
    document.addEventListener("keydown", (e) => this.key(e));
  }

  bindPicture(name, canvas) {
    const { view } = this.app;
    const fingers = new Map();
    let moved = 0, began = null;
    canvas.addEventListener("wheel", (e) => this.wheel(e, name), { passive: false });
    canvas.addEventListener("pointerdown", (e) => {
      fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
      moved = 0;
      began = { x: e.offsetX, y: e.offsetY };
      canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener("pointermove", (e) => {
      const before = fingers.get(e.pointerId);
      if (!before) return this.app.point(name, e.offsetX, e.offsetY);
      const others = [...fingers].filter(([id]) => id !== e.pointerId).map(([, f]) => f);
      if (others.length) this.pinch(before, e, others[0]);
      else if (moved > 4 || Math.hypot(e.offsetX - began.x, e.offsetY - began.y) > 4) {
        const d = (before.x - e.offsetX) * view.perPixel();
        view.show(view.from + d, view.to + d);
        view.scrollTo(name, view.scroll[name] + before.y - e.offsetY);
      }
      moved += Math.hypot(e.offsetX - before.x, e.offsetY - before.y);
      fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
    });
    const up = (e) => {
      if (fingers.delete(e.pointerId) && moved <= 4 && e.type === "pointerup") this.app.click(name, e.offsetX, e.offsetY);
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.app.leave());
    canvas.addEventListener("dblclick", (e) => e.offsetX > GUTTER && view.zoom(0.2, view.t(e.offsetX)));
  }

  // wheel zooms at the pointer; sideways, or with shift, it pans, and over the names it
  // scrolls the rows.
  wheel(e, name) {
    const { view } = this.app;
    e.preventDefault();
    const unit = e.deltaMode === 1 ? 16 : 1;
    if (e.offsetX < GUTTER) return view.scrollTo(name, view.scroll[name] + e.deltaY * unit);
    const sideways = e.shiftKey ? e.deltaY || e.deltaX : e.deltaX;
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) return view.pan((sideways * unit) / view.width);
    view.zoom(Math.exp(Math.max(-400, Math.min(400, e.deltaY * unit)) * WHEEL), view.t(e.offsetX));
  }

  pinch(before, now, other) {
    const { view } = this.app;
    const was = Math.abs(before.x - other.x), is = Math.abs(now.offsetX - other.x);
    if (was > 10 && is > 10) view.zoom(was / is, view.t((now.offsetX + other.x) / 2));
  }

  bindMap(canvas) {
    let move = null;
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      move = this.app.minimap.grab(e.offsetX);
    });
    canvas.addEventListener("pointermove", (e) => move && move(e.offsetX));
    canvas.addEventListener("pointerup", () => (move = null));
    canvas.addEventListener("dblclick", () => this.app.view.all());
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.app.view.zoom(Math.exp(e.deltaY * WHEEL));
    }, { passive: false });
  }

  bindSplitter(node) {
    const set = (share) => this.app.split(Math.max(0.1, Math.min(0.9, share)));
    node.addEventListener("pointerdown", (e) => node.setPointerCapture(e.pointerId));
    node.addEventListener("pointermove", (e) => {
      if (!node.hasPointerCapture(e.pointerId)) return;
      const box = node.parentElement.getBoundingClientRect();
      set((e.clientY - box.top) / box.height);
    });
    node.addEventListener("keydown", (e) => {
      const by = { ArrowUp: -0.05, ArrowDown: 0.05 }[e.key];
      if (!by) return;
      e.preventDefault();
      e.stopPropagation();
      set(this.app.share + by);
    });
  }

  key(e) {
    const { app } = this;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape") return app.escape();
    if (typing || app.nodes.help.open) return;
    const inButton = /^(BUTTON|SUMMARY|A)$/.test(e.target.tagName) && (e.key === "Enter" || e.key === " ");
    const act = this.keys()[e.key];
    if (!act || inButton) return;
    e.preventDefault();
    act(e.shiftKey);
  }

  keys() {
    const { app } = this;
    const { view } = app;
    return {
      ArrowLeft: (much) => view.pan(much ? -0.9 : -0.15),
      ArrowRight: (much) => view.pan(much ? 0.9 : 0.15),
      ArrowUp: () => app.moveLane(-1),
      ArrowDown: () => app.moveLane(1),
      PageUp: () => view.scrollTo("lanes", view.scroll.lanes - view.height.lanes * 0.8),
      PageDown: () => view.scrollTo("lanes", view.scroll.lanes + view.height.lanes * 0.8),
      "+": () => view.zoom(0.6, app.middle()),
      "=": () => view.zoom(0.6, app.middle()),
      "-": () => view.zoom(1 / 0.6, app.middle()),
      Home: () => view.all(),
      "[": () => app.stepLane(-1),
      "]": () => app.stepLane(1),
      "{": () => app.goToCause(),
      "}": () => app.goToEffect(),
      Enter: () => app.enter(),
      "/": () => app.nodes.search.focus(),
      n: () => app.nextFound(1),
      N: () => app.nextFound(-1),
      e: () => app.nextEvidence(),
      t: () => app.toggleTable(),
      d: () => app.toggleTheme(),
      "?": () => app.nodes.help.showModal(),
    };
  }
}

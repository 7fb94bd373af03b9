// The time axis, on which idle gaps are shorter. It reimplements the axis of package view.

const FOLD_PART = 20n;
const FOLD_WIDTH = 16;

// foldsOf returns the long parts of the axis in which no span runs.
function foldsOf(rows, total) {
  const busy = rows.filter((n) => !n.wait && !n.name.startsWith("converge ")).map((n) => [n.offset, n.offset + n.duration]);
  if (busy.length === 0) return [];
  busy.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const folds = [];
  let [idle, at] = [0n, 0n];
  for (const [from, to] of [...busy, [total, total]]) {
    if (from > at && from - at >= total / FOLD_PART) {
      folds.push({ from: at, to: from });
      idle += from - at;
    }
    if (to > at) at = to;
  }
  return idle < total / 2n || idle === total ? [] : folds;
}

class Scale {
  constructor(rows, total) {
    this.total = total;
    this.folds = foldsOf(rows, total);
    const rest = this.folds.reduce((left, f) => left - (f.to - f.from), total);
    this.active = rest > 1n ? rest : 1n;
    this.folded = Number(this.active) / (2 * Math.max(this.folds.length, FOLD_WIDTH / 2) - this.folds.length);
    this.length = Number(this.active) + this.folds.length * this.folded;
  }

  // at returns the place of a time, from 0 to 1.
  at(offset) {
    let [place, from] = [0, 0n];
    const between = (low, high) => Number((offset < low ? low : offset > high ? high : offset) - low);
    for (const f of this.folds) {
      place += between(from, f.from) + (between(f.from, f.to) / Number(f.to - f.from)) * this.folded;
      from = f.to;
    }
    return (place + between(from, this.total)) / this.length;
  }

  percent(offset) {
    return (100 * this.at(offset)).toFixed(4) + "%";
  }

  span(from, to) {
    return (100 * (this.at(to) - this.at(from))).toFixed(4) + "%";
  }

  ticks(steps) {
    if (this.total === 1n) return [0n]; // All spans have the same instant.
    const step = roundStep((this.active - 1n) / BigInt(steps + 2 * this.folds.length) + 1n);
    const ticks = [0n];
    let from = step;
    for (const f of [...this.folds, { from: this.total, to: this.total }]) {
      for (let at = from; at <= f.from; at += step) ticks.push(at);
      const next = (f.to / step + 1n) * step;
      if (next > from) from = next;
    }
    return ticks;
  }

  // background returns the lines of the ticks and the strips of the folds for each lane.
  background() {
    const strips = this.folds.map((f) => {
      const [left, width] = [this.at(f.from), this.at(f.to) - this.at(f.from)];
      return `linear-gradient(var(--fold) 0 0) ${(100 * left) / (1 - width)}% 0 / ${100 * width}% 100% no-repeat`;
    });
    const lines = this.ticks(4).map((tick) => `linear-gradient(var(--line) 0 0) ${this.percent(tick)} 0 / 1px 100% no-repeat`);
    return [...lines, ...strips].join(", ");
  }

  // axis returns the labels of the ticks, and the lengths of the folds. Labels that would overlap
  // are blank.
  axis() {
    const NEAR = 0.12;
    const taken = this.folds.map((f) => (this.at(f.from) + this.at(f.to)) / 2);
    const label = (tag, name, text, place) => {
      const e = el(tag, { class: name }, text);
      // Keep the last label inside the axis.
      e.style.left = `min(${(100 * place).toFixed(4)}%, 100% - ${text.length + 1}ch)`;
      return e;
    };
    const ticks = this.ticks(4).map((tick) => {
      const place = this.at(tick);
      const free = this.folds.length === 0 || !taken.some((other) => Math.abs(other - place) < NEAR);
      if (free) taken.push(place);
      return label("span", null, free ? formatTick(tick) : "", place);
    });
    return el("div", { class: "axis" }, ticks, this.folds.map((f) => label("b", "gap", "⋯" + formatDuration(f.to - f.from) + "⋯", this.at(f.from))));
  }
}

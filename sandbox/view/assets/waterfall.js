// The waterfall: a treegrid with a row for each span, and the details of the selected span. Its keys
// follow the ARIA Authoring Practices for treegrids with focusable rows. All texts are text nodes.

// el creates an element. It omits attributes that are null; children are nodes, texts or null.
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) if (value != null) element.setAttribute(name, value);
  element.append(...children.flat(Infinity).filter((c) => c != null));
  return element;
}

const percent = (part, total) => (Number((part * 1000000n) / total) / 10000).toFixed(4) + "%";
const plural = (count, word) => count + " " + word + (count === 1 ? "" : "s");

// labelsOf returns the values of the label attributes, which follow the name of the span.
const LABELS = (document.querySelector("main").dataset.labels ?? "").split(" ").filter(Boolean);
function labelsOf(node) {
  if (node.wait) return [];
  return LABELS.map((key) => node.raw.attributes?.find((a) => a.key === key)).filter(Boolean).map((a) => valueText(a.value));
}

class Waterfall {
  // linkTo returns the address of another trace, if it has a page.
  constructor(model, linkTo) {
    this.model = model;
    this.linkTo = linkTo ?? (() => null);
    this.rows = new Map();
    this.details = el("aside", { class: "details", "aria-label": "Details of the span", tabindex: "-1", hidden: "" });
    this.details.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.grid = this.makeGrid();
    this.element = el("div", { class: "waterfall" }, el("div", { class: "scroll" }, this.grid), this.details);
  }

  makeGrid() {
    const model = this.model;
    const body = el("tbody", { role: "rowgroup" });
    for (const node of model.rows) body.append(this.makeRow(node));
    const column = (name, title) => el("th", { class: name, role: "columnheader", scope: "col" }, title);
    const grid = el("table", { class: model.services.length > 1 ? null : "one-service", role: "treegrid", "aria-label": "Spans of the trace", "aria-readonly": "true" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" },
        column("name", "Span"), column("service", "Service"), column("kind", "Kind"), column("start", "Start"), column("time", "Time"),
        // The columns of start and time contain the same information as the bars.
        el("th", { class: "bars", "aria-hidden": "true" }, model.scale.axis()))),
      body);
    grid.style.setProperty("--grid", model.scale.background());
    body.addEventListener("click", (event) => this.clicked(event));
    body.addEventListener("keydown", (event) => this.pressed(event));
    if (model.rows.length > 0) this.rows.get(model.rows[0]).tabIndex = 0;
    this.current = model.rows[0];
    return grid;
  }

  makeRow(node) {
    const parent = node.children.length > 0;
    const notes = notesOf(node);
    const name = el("td", { class: "name", role: "gridcell" },
      el("span", { class: "toggle", "aria-hidden": "true" }),
      notes.length > 0 ? el("span", { class: "mark" }, "✗ ") : null,
      el("span", { class: "label" }, shownName(node)),
      labelsOf(node).map((label) => el("span", { class: "text" }, " " + escapeText(label))),
      node.continues ? el("span", { class: "text" }, " continued in trace " + escapeText(node.raw.traceId)) : null,
      notes.length > 0 ? el("span", { class: "note" }, " " + escapeText(notes.join(", "))) : null,
      // The lane shows the facts, but is hidden from screen readers.
      node.facts.length > 0 ? el("span", { class: "unseen" }, ", " + escapeText(node.facts.map((f) => f.text).join(", "))) : null);
    name.style.setProperty("--depth", Math.min(node.depth, 24));
    const cell = (column, text) => el("td", { class: column, role: "gridcell" }, text);
    const row = el("tr", {
      role: "row", class: (node.wait ? "wait " : "span ") + (node.failed ? "failed" : node.kind.toLowerCase()) + (node.onPath ? " on-path" : ""), tabindex: "-1", "aria-selected": "false",
      "aria-level": node.depth + 1, "aria-posinset": node.position, "aria-setsize": node.siblings, "aria-expanded": parent ? "true" : null,
    },
      name, cell("service", escapeText(node.service)), cell("kind", escapeText(node.kind)), cell("start", "+" + formatDuration(node.offset)),
      cell("time", formatDuration(node.duration)), el("td", { class: "bars", "aria-hidden": "true" }, this.makeBar(node)));
    this.rows.set(node, row);
    row.node = node;
    return row;
  }

  makeBar(node) {
    const scale = this.model.scale;
    const part = (name, from, to) => {
      const e = el("span", { class: name });
      e.style.left = scale.percent(from);
      e.style.width = scale.span(from, to);
      return e;
    };
    const end = node.offset + node.duration;
    const gaps = node.wait ? [] : scale.folds.filter((f) => node.offset <= f.from && end >= f.to).map((f) => part("gap", f.from, f.to));
    const events = (node.wait ? [] : node.raw.events ?? []).map((event) => {
      const at = nanos(event.timeUnixNano) - this.model.begin;
      return at < 0n || at > this.model.total ? null : part("event", at, at);
    });
    return el("div", { class: "lane" }, part("bar", node.offset, end), gaps, node.steps.map((s) => part("critical", s.from, s.to)), events, this.makeFacts(node, end));
  }

  // makeFacts returns the facts beside the bar: words, or marks if there is no room.
  makeFacts(node, end) {
    if (node.facts.length === 0) return null;
    const each = (text) => node.facts.map((f, i) => el("span", { class: f.bad ? "bad" : null }, (i > 0 ? text.separator : "") + escapeText(f[text.key])));
    const e = el("span", { class: "facts", title: escapeText(node.facts.map((f) => f.text).join(", ")) },
      el("span", { class: "words" }, each({ key: "text", separator: ", " })), el("span", { class: "marks" }, each({ key: "mark", separator: "" })));
    const [from, to] = [this.model.scale.at(node.offset), this.model.scale.at(end)];
    if (1 - to >= from) e.style.left = `calc(${100 * to}% + 5px)`;
    else {
      e.style.right = `calc(${100 * (1 - from)}% + 5px)`;
      e.classList.add("before");
    }
    return e;
  }

  clicked(event) {
    const row = event.target.closest("tr");
    this.focus(row.node);
    if (event.target.classList.contains("toggle") && row.hasAttribute("aria-expanded")) this.toggle(row.node);
    else this.open(row.node);
  }

  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const node = this.current;
    const expanded = this.rows.get(node).getAttribute("aria-expanded");
    const shown = this.model.rows.filter((n) => !this.rows.get(n).hidden);
    const at = shown.indexOf(node);
    const go = (index) => this.focus(shown[Math.max(0, Math.min(shown.length - 1, index))]);
    const keys = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + 10),
      PageUp: () => go(at - 10),
      Home: () => go(0),
      End: () => go(shown.length - 1),
      ArrowRight: () => (expanded === "false" ? this.toggle(node) : expanded === "true" ? go(at + 1) : null),
      ArrowLeft: () => (expanded === "true" ? this.toggle(node) : node.parent ? this.focus(node.parent) : null),
      Enter: () => this.open(node, true),
      " ": () => this.open(node, true),
      Escape: () => this.close(),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  }

  // focus moves the focus to a row, the only one in the tab order.
  focus(node) {
    this.rows.get(this.current).tabIndex = -1;
    this.current = node;
    const row = this.rows.get(node);
    row.tabIndex = 0;
    row.focus();
  }

  toggle(node) {
    const row = this.rows.get(node);
    this.expand([node], row.getAttribute("aria-expanded") !== "true");
  }

  // expand opens or closes nodes, and shows only rows whose ancestors are all open.
  expand(nodes, open) {
    for (const node of nodes) if (node.children.length > 0) this.rows.get(node).setAttribute("aria-expanded", String(open));
    for (const node of this.model.rows) {
      const above = node.parent && this.rows.get(node.parent);
      this.rows.get(node).hidden = this.kept?.has(node) === false || (Boolean(above) && (above.hidden || above.getAttribute("aria-expanded") === "false"));
    }
    let visible = this.current;
    while (visible && this.rows.get(visible).hidden) visible = visible.parent;
    if (visible && visible !== this.current) {
      this.rows.get(this.current).tabIndex = -1;
      this.current = visible;
      this.rows.get(visible).tabIndex = 0;
    }
  }

  // only shows the rows of a selection and their ancestors.
  only(selection) {
    this.kept = select(this.model, selection);
    this.expand([], true);
    const first = this.model.rows.find((n) => !this.rows.get(n).hidden);
    if (first && this.rows.get(this.current).hidden) {
      this.rows.get(this.current).tabIndex = -1;
      this.current = first;
      this.rows.get(first).tabIndex = 0;
    }
  }

  // reveal scrolls to a linked span and selects it.
  reveal(node) {
    this.kept = null;
    const above = [];
    for (let n = node.parent; n; n = n.parent) above.push(n);
    this.expand(above, true);
    this.focus(node);
    this.open(node);
  }

  open(node, moveFocus) {
    if (this.chosen) this.rows.get(this.chosen).setAttribute("aria-selected", "false");
    this.chosen = node;
    this.rows.get(node).setAttribute("aria-selected", "true");
    this.details.replaceChildren(...detailsOf(this, node.of ?? node));
    this.details.hidden = false;
    this.details.scrollTop = 0;
    if (moveFocus) this.details.focus();
  }

  close() {
    if (!this.chosen) return;
    const row = this.rows.get(this.chosen);
    row.setAttribute("aria-selected", "false");
    this.details.hidden = true;
    const back = this.chosen;
    this.chosen = null;
    if (!row.hidden) this.focus(back);
  }
}

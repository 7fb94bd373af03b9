// The details of a span: all data that it was exported with.

function detailsOf(waterfall, node) {
  const close = el("button", { type: "button", class: "close" }, "Close");
  close.addEventListener("click", () => waterfall.close());
  const raw = node.raw;
  return [
    el("header", {}, el("h2", {}, shownName(node)), close),
    notesOf(node).map((note) => el("p", { class: "failure" }, "✗ " + escapeText(note))),
    terms([
      ["Service", node.service], ["Kind", node.kind], ["Status", node.status],
      ["Start", "+" + formatDuration(node.offset) + ", " + wallTime(node.start)], ["Duration", formatDuration(node.end - node.start)],
      ["Span", node.id], ["Parent", raw.parentSpanId], ["Trace", raw.traceId === waterfall.model.id ? "" : raw.traceId], ["Trace state", raw.traceState],
    ]),
    section("Attributes", attributesOf(raw.attributes)),
    section("Events", eventsOf(waterfall, node)),
    section("Links", linksOf(waterfall, node)),
    section("Resource", attributesOf(node.resource)),
    section("Scope", attributesOf(scopeAttributes(node.scope))),
  ].flat(Infinity).filter((e) => e != null);
}

// terms returns a list of names and values. It omits names without a value.
function terms(pairs) {
  return el("dl", {}, pairs.filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, escapeText(value))]));
}

function section(title, content) {
  return content == null ? null : el("section", {}, el("h3", {}, title), content);
}

function attributesOf(attributes) {
  if (!attributes?.length) return null;
  const sorted = [...attributes].sort((a, b) => (a.key < b.key ? -1 : 1));
  return el("dl", {}, sorted.map((a) => [el("dt", {}, escapeText(a.key)), el("dd", {}, escapeText(valueText(a.value)))]));
}

function scopeAttributes(scope) {
  const named = [["name", scope.name], ["version", scope.version]].filter(([, value]) => value);
  return [...named.map(([key, value]) => ({ key, value: { stringValue: value } })), ...(scope.attributes ?? [])];
}

function eventsOf(waterfall, node) {
  const events = node.raw.events ?? [];
  if (events.length === 0) return null;
  return el("ol", {}, events.map((event) => {
    const offset = nanos(event.timeUnixNano) - waterfall.model.begin;
    return el("li", {}, el("p", {}, el("b", {}, "+" + formatDuration(offset)), " " + escapeText(event.name || "event")), attributesOf(event.attributes));
  }));
}

// linksOf links to a span if it is in this trace, or else to the page of its trace, if there is one.
function linksOf(waterfall, node) {
  const links = node.raw.links ?? [];
  if (links.length === 0) return null;
  return el("ul", {}, links.map((link) => {
    const target = waterfall.model.rows.find((n) => !n.wait && n.raw.traceId === link.traceId && n.id === link.spanId);
    const address = waterfall.linkTo(link.traceId);
    let place = el("span", {}, "span " + escapeText(link.spanId) + " of trace " + escapeText(link.traceId));
    if (target) {
      place = el("button", { type: "button" }, shownName(target));
      place.addEventListener("click", () => waterfall.reveal(target));
    } else if (address) {
      place = el("a", { href: address }, "span " + escapeText(link.spanId) + " of trace " + escapeText(link.traceId));
    }
    return el("li", {}, place, attributesOf(link.attributes));
  }));
}

// wallTime formats a time in the time zone of the browser, to the millisecond.
function wallTime(ns) {
  const date = new Date(Number(ns / 1000000n));
  return date.toLocaleString(undefined, { dateStyle: "medium" }) + " " +
    date.toLocaleTimeString(undefined, { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, timeZoneName: "short" });
}

// whyPanel returns the explanation of a trace, or null.
function whyPanel(why) {
  return why ? el("details", { class: "why" }, el("summary", {}, escapeText(why.summary)), el("pre", {}, why.lines.map((line) => escapeText(line)).join("\n"))) : null;
}

// selectionOf returns a choice of the rows that are shown.
function selectionOf(waterfall, selection) {
  const known = { "": "all spans", ...(waterfall.model.why ? { path: "the critical path" } : {}), failures: "failures", writes: "writes" };
  const choice = el("select", {}, Object.entries(known).map(([value, text]) => el("option", { value, selected: value === selection ? "" : null }, text)));
  choice.addEventListener("change", () => waterfall.only(choice.value));
  if (selection) waterfall.only(selection);
  return el("label", {}, "Show ", choice);
}

// tracePage returns the page of a trace: the summary, the explanation, the legend and the waterfall.
function tracePage(trace, title, linkTo, { why = null, selection = "" } = {}) {
  const model = layOut(trace, why);
  const waterfall = new Waterfall(model, linkTo);
  const button = (text, open) => {
    const b = el("button", { type: "button" }, text);
    b.addEventListener("click", () => waterfall.expand(model.rows, open));
    return b;
  };
  const summary = [title.includes(model.id) ? null : "trace " + model.id, plural(model.spans, "span"), model.total > 1n ? formatDuration(model.total) : null, plural(model.services.length, "service"), model.failed ? model.failed + " failed" : null, wallTime(model.begin)];
  const kinds = ["SERVER", "CONSUMER", "PRODUCER", "CLIENT", "INTERNAL"].filter((kind) => model.rows.some((n) => n.kind === kind && !n.failed));
  const legend = el("ul", { class: "legend", "aria-label": "Colors" }, kinds.map((kind) => el("li", { class: kind.toLowerCase() }, el("span", { class: "bar" }), kind.toLowerCase())),
    model.why ? el("li", {}, el("span", { class: "critical" }), "critical path") : null);
  return [
    el("header", { class: "top" }, el("h1", {}, escapeText(title)), el("p", { class: "summary" }, summary.filter(Boolean).join(" · ")), whyPanel(model.why),
      el("div", { class: "tools" }, button("Expand all", true), button("Collapse all", false), selectionOf(waterfall, selection), legend)),
    waterfall.element,
  ];
}

// The model of the page: traces from OTLP JSON, laid out as rows. It reimplements the Go code of
// package view, which cannot run in a page that reads from Jaeger. A test compares the two.

const KINDS = ["INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

// Enums are numbers in files, but can be names elsewhere.
function kindOf(kind) {
  return typeof kind === "string" ? kind.replace("SPAN_KIND_", "").replace("UNSPECIFIED", "INTERNAL") : KINDS[kind ?? 0] ?? "";
}

function statusOf(span) {
  const code = span.status?.code;
  if (code === 2 || code === "STATUS_CODE_ERROR") return "Error";
  if ((span.attributes ?? []).some((a) => a.key === "error" && a.value?.boolValue === true)) return "Error";
  return code === 1 || code === "STATUS_CODE_OK" ? "Ok" : "Unset";
}

// escapeText replaces characters that are not printable or change the text direction with Go escape
// sequences.
const LETTERS = { 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r" };
function escapeText(text) {
  return String(text).replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (c) => {
    const code = c.codePointAt(0);
    if (code in LETTERS) return "\\" + LETTERS[code];
    const hex = code.toString(16);
    if (code < 0x80) return "\\x" + hex.padStart(2, "0");
    return code < 0x10000 ? "\\u" + hex.padStart(4, "0") : "\\U" + hex.padStart(8, "0");
  });
}

// shownName returns the name of a span or a placeholder: rows and links need a non-empty text.
function shownName(node) {
  const name = escapeText(node.name);
  return name.trim() === "" ? "(no name)" : name;
}

// valueText formats the value of an attribute for people.
function valueText(value) {
  if (value == null) return "";
  if ("arrayValue" in value) return "[" + (value.arrayValue.values ?? []).map(valueText).join(", ") + "]";
  if ("kvlistValue" in value) return "{" + (value.kvlistValue.values ?? []).map((a) => a.key + ": " + valueText(a.value)).join(", ") + "}";
  const [only] = Object.values(value);
  return only == null ? "" : String(only);
}

// Times are nanoseconds as BigInt, because a Number is not precise enough.
function nanos(time) {
  return BigInt(time ?? 0);
}

function formatDuration(ns) {
  if (ns < 0n) return "-" + formatDuration(-ns);
  const decimal = (unit, digits) => {
    const scale = 10n ** BigInt(digits);
    const parts = (ns * scale + unit / 2n) / unit;
    return parts / scale + "." + String(parts % scale).padStart(digits, "0");
  };
  if (ns === 0n) return "0";
  if (ns < 1000n) return ns + "ns";
  if (ns < 1000000n) return ns / 1000n + "µs";
  if (ns < 100000000n) return decimal(1000000n, 1) + "ms";
  if (ns < 1000000000n) return ns / 1000000n + "ms";
  if (ns < 60000000000n) return decimal(1000000000n, 2) + "s";
  const s = (ns + 500000000n) / 1000000000n;
  return (s >= 3600n ? s / 3600n + "h" : "") + ((s / 60n) % 60n) + "m" + (s % 60n) + "s";
}

// roundStep rounds a duration up to a round step.
function roundStep(atLeast) {
  for (let unit = 1n; unit < 10000000000n; unit *= 10n) {
    for (const factor of [1n, 2n, 5n]) if (unit * factor >= atLeast) return unit * factor;
  }
  for (const s of [10n, 15n, 30n, 60n, 120n, 300n, 600n, 1800n, 3600n, 7200n, 21600n, 43200n]) {
    if (s * 1000000000n >= atLeast) return s * 1000000000n;
  }
  const day = 86400000000000n;
  return ((atLeast - 1n) / day + 1n) * day;
}

function formatTick(ns) {
  if (ns === 0n) return "0";
  const s = 1000000000n;
  for (const [unit, name] of [[3600n * s, "h"], [60n * s, "m"]]) if (ns % unit === 0n) return ns / unit + name;
  for (const [unit, name] of [[s, "s"], [1000000n, "ms"], [1000n, "µs"]]) if (ns >= unit) return Number(ns) / Number(unit) + name;
  return ns + "ns";
}

const noID = (id) => !id || /^0*$/.test(id);

// tracesOf splits OTLP JSON into traces, ordered by their first spans. It ignores duplicate spans.
function tracesOf(otlp) {
  const traces = new Map();
  for (const resource of otlp.resourceSpans ?? []) {
    const attributes = resource.resource?.attributes ?? [];
    const service = valueText(attributes.find((a) => a.key === "service.name")?.value);
    for (const scope of resource.scopeSpans ?? []) {
      for (const raw of scope.spans ?? []) {
        const trace = traces.get(raw.traceId) ?? { id: raw.traceId, nodes: [], known: new Set() };
        traces.set(raw.traceId, trace);
        const text = JSON.stringify(raw);
        if (trace.known.has(text)) continue;
        trace.known.add(text);
        trace.nodes.push({
          raw, service, resource: attributes, scope: scope.scope ?? {}, id: raw.spanId, name: raw.name ?? "", kind: kindOf(raw.kind),
          start: nanos(raw.startTimeUnixNano), end: nanos(raw.endTimeUnixNano), status: statusOf(raw), defect: "", parent: null, children: [],
        });
      }
    }
  }
  return [...traces.values()];
}

function compareNodes(a, b) {
  for (const key of ["start", "name", "id"]) if (a[key] !== b[key]) return a[key] < b[key] ? -1 : 1;
  return 0;
}

// joinTraces merges the traces in continued into the first other trace. continued maps the id of a
// trace to the span that it continues.
function joinTraces(traces, continued) {
  const first = traces.find((trace) => !Object.hasOwn(continued, trace.id));
  return traces.filter((trace) => {
    if (!first || !Object.hasOwn(continued, trace.id)) return true;
    for (const node of trace.nodes) first.nodes.push(node);
    first.continued = continued;
    return false;
  });
}

// shownTraces returns the traces of a page.
const shownTraces = ({ otlp, continued }) => joinTraces(tracesOf(otlp ?? {}), continued ?? {});

const placeOf = (trace, span) => trace + "/" + span;

// joinNodes links each node to its parent and records defects. It returns the roots.
function joinNodes(nodes, continued) {
  const byID = new Map();
  for (const node of nodes) {
    if (noID(node.id)) continue;
    const place = placeOf(node.raw.traceId, node.id);
    if (byID.has(place)) node.defect = "duplicate id";
    else byID.set(place, node);
  }
  for (const node of nodes) {
    if (noID(node.raw.parentSpanId)) continue;
    node.parent = byID.get(placeOf(node.raw.traceId, node.raw.parentSpanId)) ?? null;
    if (!node.parent) node.defect = "orphan";
  }
  cutCycles(nodes);
  for (const node of nodes) {
    if (node.parent || !Object.hasOwn(continued, node.raw.traceId)) continue;
    const writer = continued[node.raw.traceId];
    node.parent = byID.get(placeOf(writer.trace, writer.span)) ?? null;
    node.continues = node.parent !== null;
  }
  const roots = [];
  for (const node of nodes) (node.parent ? node.parent.children : roots).push(node);
  for (const list of [roots, ...nodes.map((n) => n.children)]) list.sort(compareNodes);
  return roots;
}

// cutCycles makes the earliest node of every cycle a root. It walks up from every node and stops at
// nodes that an earlier walk visited, so it visits each node once.
function cutCycles(nodes) {
  const walkOf = new Map();
  for (const start of nodes) {
    let node = start;
    while (node && !walkOf.has(node)) {
      walkOf.set(node, start);
      node = node.parent;
    }
    if (!node || walkOf.get(node) !== start) continue;
    let first = node;
    for (let n = node.parent; n !== node; n = n.parent) if (compareNodes(n, first) < 0) first = n;
    first.defect = "cycle";
    first.parent = null;
  }
}

// WAIT_PART is the part of the axis that a wait must have to be a row. Shorter ones are facts.
const WAIT_PART = 50n;
const atLeast = (total) => (total / WAIT_PART > MIN_WAIT ? total / WAIT_PART : MIN_WAIT);

// withWaits returns a node with its facts, after the waits before it: waits of the path without a span, and
// waits that its attributes record.
function withWaits(node, model, path) {
  const row = (name, offset, duration, facts, service) => ({
    ...node, wait: true, of: node, name: "… " + name, kind: "", status: "Unset", defect: "", continues: false, children: [], steps: [], start: model.begin + offset, end: model.begin + offset + duration, facts, service,
  });
  node.facts = factsOf(node);
  const rows = [];
  node.steps = node.duplicate ? [] : path?.steps.get(placeOf(node.raw.traceId, node.id)) ?? [];
  for (const s of node.steps) {
    if ((s.reason !== "unknown" && s.reason !== "down") || s.to - s.from < atLeast(model.total)) continue;
    const text = (s.reason === "down" ? "controller not running" : "unknown") + " " + formatDuration(s.to - s.from);
    rows.push(row(text, s.from, s.to - s.from, s.detail ? [{ text: s.detail, mark: "?", bad: false }] : [], s.actor ?? ""));
  }
  const start = node.start - model.begin;
  for (const wait of waitsOf(node.raw)) {
    const text = wait.name + (wait.duration > 0n ? " " + formatDuration(wait.duration) : "");
    const to = start - wait.end;
    const from = to - wait.duration > 0n ? to - wait.duration : 0n;
    if (to - from < atLeast(model.total)) node.facts.push({ text, mark: "…", bad: false });
    else rows.push(row(text, from, to - from, [], node.service));
  }
  return [...rows, node];
}

// layOut returns the nodes of a trace as rows on one time axis, parents before children, with the
// waits before them. The explanation of the trace is optional.
function layOut(trace, why) {
  const model = { id: trace.id, begin: 0n, total: 1n, rows: [], services: [], spans: trace.nodes.length, failed: 0 };
  const roots = joinNodes(trace.nodes, trace.continued ?? {});
  for (const [i, node] of trace.nodes.entries()) if (i === 0 || node.start < model.begin) model.begin = node.start;
  for (const node of trace.nodes) {
    for (const moment of [node.start, node.end]) if (moment - model.begin > model.total) model.total = moment - model.begin;
  }
  model.why = why ?? null;
  const path = why && pathOf(why);
  markDuplicates(roots);
  const stack = roots.flatMap((node) => withWaits(node, model, path)).reverse().map((node) => ({ node, depth: 0 }));
  const services = new Set();
  while (stack.length > 0) {
    const { node, depth } = stack.pop();
    node.depth = depth;
    node.offset = node.start - model.begin;
    node.duration = node.end > node.start ? node.end - node.start : 0n;
    node.failed = node.status === "Error" || node.defect !== "";
    node.onPath = path?.spans.has(placeOf(node.raw.traceId, node.id)) ?? false;
    if (node.failed) model.failed++;
    if (!node.wait) services.add(node.service);
    model.rows.push(node);
    node.children = node.children.flatMap((child) => withWaits(child, model, path));
    for (const child of [...node.children].reverse()) stack.push({ node: child, depth: depth + 1 });
  }
  // The position of a node among its siblings. Roots are siblings of each other.
  for (const family of [model.rows.filter((n) => n.depth === 0), ...model.rows.map((n) => n.children)]) {
    for (const [i, node] of family.entries()) [node.position, node.siblings] = [i + 1, family.length];
  }
  model.services = [...services].sort();
  model.scale = new Scale(model.rows, model.total);
  return model;
}

// markDuplicates marks nodes with the id of an earlier row.
function markDuplicates(roots) {
  const seen = new Set();
  for (const stack = [...roots].reverse(); stack.length > 0;) {
    const node = stack.pop();
    const place = placeOf(node.raw.traceId, node.id);
    node.duplicate = seen.has(place);
    seen.add(place);
    for (const child of [...node.children].reverse()) stack.push(child);
  }
}

// pathOf returns the spans on the critical path, and the parts of the path by span, on the axis of
// the trace.
function pathOf({ shift, explanation }) {
  const path = { spans: new Set(explanation.chain.map((s) => placeOf(s.traceId, s.spanId))), steps: new Map() };
  for (const s of explanation.path) {
    const place = placeOf(s.span.traceId, s.span.spanId);
    const from = BigInt(shift) + BigInt(s.offsetNanoseconds);
    path.spans.add(place);
    path.steps.set(place, [...(path.steps.get(place) ?? []), { ...s, from, to: from + BigInt(s.durationNanoseconds) }]);
  }
  return path;
}

// SELECTIONS are the selections of rows.
const SELECTIONS = {
  path: (n) => n.onPath,
  failures: (n) => n.failed || n.facts.some((f) => f.bad),
  writes: (n) => !n.wait && isWrite(n),
};

// select returns the rows of a selection with their ancestors, or null for all rows.
function select(model, selection) {
  if (!Object.hasOwn(SELECTIONS, selection)) return null;
  const kept = new Set();
  for (const row of model.rows.filter(SELECTIONS[selection])) {
    for (let n = row; n && !kept.has(n); n = n.parent) kept.add(n);
  }
  return kept;
}

// notesOf returns brief notes about the failures of a span.
function notesOf(node) {
  const notes = [];
  const cause = node.raw.status?.message || textOf(node.raw, "error.type");
  if (node.status === "Error") notes.push("error" + (cause ? ": " + cause : ""));
  if (node.defect === "orphan") notes.push("parent " + node.raw.parentSpanId + " is missing");
  else if (node.defect) notes.push(node.defect);
  return notes;
}

// The explanation of a trace in words. It reimplements the summary and the shares of package report.

const REASONS = {
  write: "API write", read: "API read", code: "own code", queue: "queue", rate_limiter: "client rate limiter", read_wait: "read-your-own-writes wait",
  back_off: "back-off", requeue: "scheduled requeue", watch: "watch latency", down: "controller not running", waiting: "waiting", reaction: "reaction",
  webhook: "webhook", conflict: "conflict and retry", unknown: "unknown",
};
const MAX_SHARES = 8;

// explainTrace returns the explanation of joined nodes, or null if it fails.
function explainTrace(roots, begin) {
  if (roots.length === 0) return null;
  const graph = new Graph(roots);
  const goal = graph.goal();
  const walk = new Walk(graph, goal.node);
  const path = [];
  for (const s of walk.segments.reverse()) {
    const last = path.at(-1);
    if (last && last.reason === s.reason && last.detail === s.detail && last.node === s.node && last.object.key === s.object.key) last.duration += s.duration;
    else path.push({ ...s });
  }
  const shares = sharesOf(path);
  const counts = countsOf(graph.nodes);
  const top = shares.slice(0, 3).filter((s) => s.duration >= walk.total / 100n).map((s) => `${part(s.duration, walk.total)} ${s.actor || "?"} ${shareText(s)}`).join("; ");
  const head = headline(walk, goal);
  const lines = [head, ...shares.slice(0, MAX_SHARES).map((s) => `  ${part(s.duration, walk.total).padStart(5)} ${formatDuration(s.duration).padStart(8)}  ${s.actor || "?"}  ${shareText(s)}`)];
  const chain = walk.chain.map((n) => n.name + " +" + formatDuration(latest(0n, n.end - walk.start)));
  return {
    summary: [head, top, counts].filter(Boolean).join("; "), lines: [...lines, "chain       " + chain.join(" → "), counts], shift: walk.start - begin,
    explanation: {
      chain: walk.chain.map((n) => ({ traceId: n.raw.traceId, spanId: n.id })),
      path: path.map((s) => ({ reason: s.reason, actor: s.actor, detail: s.detail, offsetNanoseconds: s.offset, durationNanoseconds: s.duration, span: { traceId: s.node.raw.traceId, spanId: s.node.id } })),
    },
  };
}

// part returns a percentage. It rounds halves to even numbers, as Go does.
function part(duration, total) {
  const exact = total > 0n ? (100 * Number(duration)) / Number(total) : 0;
  const low = Math.floor(exact);
  return (exact - low === 0.5 ? low + (low % 2) : Math.round(exact)) + " %";
}

// sharesOf adds up the segments by actor and reason, the longest first. A share has the object and
// the detail of its longest segment, if that is most of it.
function sharesOf(path) {
  const shares = new Map();
  for (const s of path) {
    const own = ["waiting", "unknown", "requeue"].includes(s.reason);
    const key = JSON.stringify([s.actor, s.reason, own ? s.object.key : "", own || ["back_off", "code"].includes(s.reason) ? s.detail : "", s.inferred]);
    const share = shares.get(key) ?? { ...s, duration: 0n, longest: 0n };
    shares.set(key, share);
    share.duration += s.duration;
    if (s.duration > share.longest) Object.assign(share, { longest: s.duration, object: s.object, detail: s.detail });
  }
  for (const share of shares.values()) {
    if (Number(share.longest) >= 0.8 * Number(share.duration) || ["waiting", "unknown", "requeue"].includes(share.reason)) continue;
    share.object = NO_OBJECT;
    if (!["back_off", "code"].includes(share.reason)) share.detail = "";
  }
  return [...shares.values()].sort((a, b) => (a.duration > b.duration ? -1 : a.duration < b.duration ? 1 : 0));
}

function shareText(s) {
  const object = objectText(s.object);
  let [text, { detail }] = [REASONS[s.reason], s];
  if (s.reason === "waiting") text = "waiting for " + object;
  else if (s.reason === "unknown" && object) detail = object + ", " + detail;
  else if (s.reason === "requeue") text += " of " + object;
  else if (["write", "reaction", "read"].includes(s.reason) && detail) detail += " " + s.object.name;
  if (s.inferred) detail += " (inferred: it created the object)";
  return (text + (detail ? ": " + detail : "")).trim();
}

function headline(walk, goal) {
  const [total, object, last] = [walk.total === 0n ? "no time" : formatDuration(walk.total), objectText(goal.object), walk.chain.at(-1)];
  const blocked = goal.condition ? "" : refusal(goal.node);
  if (goal.condition) return `${object}: ${goal.condition} after ${total}`;
  if (goal.object.key === NO_OBJECT.key) return `${total} until the end of ${last.name}`;
  if (last.object.key === goal.object.key && !blocked) return `${object}: ${total} until the end of ${last.name}`;
  return `${object}: not ready; last change after ${total}: ${(last.name + " " + last.object.name).trim()}${blocked ? " (" + blocked + ")" : ""}`;
}

function countsOf(nodes) {
  const count = (role, ok = () => true) => nodes.filter((n) => n.role === role && ok(n)).length;
  const inReconcile = (n) => n.role === "reconcile" || (n.parent !== null && n.parent !== undefined && n.parent.reconciles);
  for (const n of nodes) n.reconciles = inReconcile(n);
  const [conflict, exists] = [(n) => hasEvent(n, "conflict"), (n) => hasEvent(n, "already_exists")];
  const [reconciles, writes] = [count("reconcile"), count("write", (n) => n.reconciles)];
  const failed = count("reconcile", (n) => n.status === "Error" || conflict(n) || exists(n));
  const unchanged = count("write", (n) => n.reconciles && !conflict(n) && !exists(n) && isTrue(n.raw, "operator.write.unchanged"));
  const observed = count("reaction") + count("phase");
  const parts = [];
  if (reconciles > 0) parts.push(`${plural(reconciles, "reconcile")} (${failed} failed)`);
  if (writes > 0) parts.push(`${plural(writes, "write")} (${unchanged} unchanged, ${plural(count("write", (n) => n.reconciles && conflict(n)), "conflict")})`);
  if (observed > 0) parts.push(plural(observed, "span") + " of observed controllers");
  return parts.length > 0 ? parts.join(", ") : plural(nodes.length, "span");
}

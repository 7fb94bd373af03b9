// The spans of a trace with their indexes. It reimplements the graph of package explain.

const CONDITIONS = READINESS;
const RECONCILE = "operator.reconcile.";
const latest = (a, b) => (a > b ? a : b);
const byEnd = (a, b) => compareBy(a, b, ["end", "start", "id"]);
const byStart = (a, b) => compareBy(a, b, ["start", "end", "id"]);

function compareBy(a, b, keys) {
  for (const key of keys) if (a[key] !== b[key]) return a[key] < b[key] ? -1 : 1;
  return 0;
}

// An object is a kind, a namespace and a name. Objects are equal if their keys are.
const objectOf = (kind, namespace, name) => ({ kind, namespace, name, key: JSON.stringify([kind, namespace, name]) });
const NO_OBJECT = objectOf("", "", "");
const objectText = (o) => (o.name ? o.kind + " " + o.name : o.kind);
const matches = (a, b) => (!a.kind || a.kind === b.kind) && (!a.name || a.name === b.name) && (!a.namespace || !b.namespace || a.namespace === b.namespace);

// causeObject returns the object whose change caused a span, or only its kind.
function causeObject(n) {
  const of = (key) => textOf(n.raw, RECONCILE + "cause." + key);
  return objectOf(of("kind") || cutAt(textOf(n.raw, RECONCILE + "trigger"), " ")[1], of("namespace"), of("name"));
}

function versionOf(text) {
  return /^[0-9]+$/.test(text) ? BigInt(text) : 0n;
}

// transition returns the event of a condition that became a status, or null. An empty condition is
// any.
function transition(n, condition, status) {
  return (n.raw.events ?? []).find((event) => {
    const [kind, change, found] = cutAt(event.name ?? "", ": ");
    return found && (!condition || kind === condition) && change.endsWith("→" + status);
  }) ?? null;
}

// refusal describes the condition that a write made False.
function refusal(n) {
  const event = transition(n, "", "False");
  if (!event) return "";
  const reason = textOf(event, "operator.condition.reason");
  return cutAt(event.name, ": ")[0] + "=False" + (reason ? ", " + reason : "");
}

const hasEvent = (n, name) => (n.raw.events ?? []).some((e) => e.name === name);
const madeReady = (n) => CONDITIONS.some((c) => transition(n, c, "True"));
const failureOf = (n) => n.raw.status?.message || textOf(n.raw, "error.type");

function append(map, key, value) {
  map.set(key, [...(map.get(key) ?? []), value]);
}

class Graph {
  constructor(roots) {
    Object.assign(this, { nodes: [], roots, spans: new Map(), versions: new Map(), writes: new Map(), deletes: new Map(), reconciles: new Map(), converged: new Map(), related: new Map() });
    const stack = [...roots].reverse();
    while (stack.length > 0) {
      const n = stack.pop();
      this.add(n);
      stack.push(...[...n.children].reverse());
    }
    for (const list of this.writes.values()) list.sort((a, b) => (a.version < b.version ? -1 : a.version > b.version ? 1 : 0));
    for (const list of this.reconciles.values()) list.sort(byStart);
  }

  add(n) {
    n.role = roleOf(n);
    n.object = objectOf(textOf(n.raw, "operator.object.kind"), textOf(n.raw, "k8s.namespace.name"), textOf(n.raw, "operator.object.name"));
    n.loop = n.service + "\n" + n.object.key;
    n.version = versionOf(textOf(n.raw, "operator.write.resource_version"));
    this.nodes.push(n);
    if (n.defect !== "duplicate id") this.spans.set(placeOf(n.raw.traceId, n.id), n);
    const uid = textOf(n.raw, "operator.object.uid");
    const causeUID = textOf(n.raw, RECONCILE + "cause.uid");
    if (n.role === "reconcile") {
      append(this.reconciles, n.loop, n);
      this.relate(n.object, causeUID);
    } else if (n.role === "converge") {
      const end = this.converged.get(n.object.key);
      if (end === undefined || n.end < end) this.converged.set(n.object.key, n.end);
    } else if (n.role === "reaction") {
      this.relate(n.object, causeUID);
      this.relate(causeObject(n), uid);
    } else if (n.role === "write" && n.parent?.role === "reconcile") this.relate(n.parent.object, uid);
    if (!uid || (n.role !== "write" && n.role !== "reaction")) return;
    append(this.writes, uid, n);
    if (n.name.startsWith("delete ")) this.deletes.set(uid, n);
    const number = textOf(n.raw, "operator.write.resource_version");
    const known = this.versions.get(placeOf(uid, number));
    if (number && (!known || (known.role === "reaction" && n.role === "write"))) this.versions.set(placeOf(uid, number), n);
  }

  relate(object, uid) {
    if (uid) append(this.related, object.key, uid);
  }

  // goal returns the write that made the object of the trace ready, or else its last change.
  goal() {
    const kind = this.roots[0].object.kind;
    const object = this.nodes.find((n) => n.object.name && (!kind || n.object.kind === kind))?.object ?? NO_OBJECT;
    const own = (n) => (n.role === "write" || n.role === "reaction") && n.status !== "Error" && matches(object, n.object);
    const writes = object === NO_OBJECT ? [] : this.nodes.filter(own).sort(byEnd);
    for (const condition of CONDITIONS) {
      let found = null;
      for (const n of writes) {
        if (!transition(n, condition, "True")) continue;
        const end = this.converged.get(n.object.key);
        if (!found || (end !== undefined && n.start <= end)) found = n;
      }
      if (found) return { node: found, object: found.object, condition };
    }
    const waits = writes.some((n) => CONDITIONS.some((c) => transition(n, c, "False") || transition(n, c, "Unknown")));
    if (writes.length > 0 && !waits) return { node: writes.at(-1), object, condition: "" };
    const rank = (n) => (n.role === "converge" ? 0 : 1);
    const last = this.nodes.reduce((best, n) => (rank(n) > rank(best) || (rank(n) === 1 && byEnd(n, best) > 0) ? n : best));
    return { node: last, object, condition: "" };
  }

  previous(n) {
    const list = this.reconciles.get(n.loop) ?? [];
    return list[list.indexOf(n) - 1] ?? null;
  }
}

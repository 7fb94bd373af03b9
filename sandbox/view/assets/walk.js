// The critical path of a trace, from its goal back to its start. It reimplements the walk of package
// explain, whose text defines the path. A test compares the two.

const MAX_DELIVERY = 1000000000n;
const REQUEUE_TOLERANCE = 10000000n;
const PHASES = { pull: "pulling image", create: "creating container", start: "starting container", probe: "waiting for probes", sandbox: "creating sandbox and network" };

// waitOf returns an attribute in seconds as whole nanoseconds, as package explain does.
const waitOf = (raw, key) => secondsOf(raw, key, Math.trunc);
const segment = (n, reason, detail = "") => ({ actor: n.service, reason, object: n.object, detail, node: n });

class Walk {
  constructor(graph, goal) {
    Object.assign(this, { graph, segments: [], chain: [], visited: new Set(), retried: null });
    const roots = graph.roots.some((n) => n.role !== "converge") ? graph.roots.filter((n) => n.role !== "converge") : graph.roots;
    this.start = roots.reduce((first, root) => (root.start < first ? root.start : first), roots[0].start);
    this.now = latest(this.start, goal.end);
    this.total = this.now - this.start;
    for (let n = goal; n && !this.visited.has(n);) {
      this.visited.add(n);
      this.chain.push(n);
      n = this.step(n);
    }
    this.back(this.start, this.unknown("no cause is recorded"));
    this.chain.reverse();
  }

  step(n) {
    if (n.role === "reaction") {
      this.reaction(n);
      return this.caused(n, n.start);
    }
    if (n.role === "reconcile") return this.reconcile(n);
    if (n.role === "write") this.write(n);
    else this.whole(n, { reason: "code", detail: "" });
    return this.enclosing(n);
  }

  back(time, s) {
    const to = latest(time, this.start);
    if (to >= this.now) return;
    this.segments.push({ ...s, offset: to - this.start, duration: this.now - to });
    this.now = to;
  }

  unknown(detail, object = NO_OBJECT) {
    return { actor: "", reason: "unknown", detail, object, node: this.chain.at(-1) };
  }

  enclosing(n) {
    const before = this.before(n);
    if (before) this.back(before.end, this.unknown("between " + before.name + " and " + n.name));
    return before;
  }

  before(n) {
    if (n.parent) return n.parent.role === "converge" ? null : n.parent;
    const linked = (n.raw.links ?? []).map((link) => this.graph.spans.get(placeOf(link.traceId, link.spanId)));
    return linked.find((found) => found && !this.visited.has(found)) ?? null;
  }

  write(n) {
    const why = hasEvent(n, "conflict") ? "conflict" : "write";
    const first = this.segments.length;
    this.cover(n, segment(n, why, n.name));
    this.carve(first, waitOf(n.raw, "operator.write.rate_limiter_wait"), "rate_limiter", [why]);
  }

  cover(n, own) {
    const inside = n.children.filter((c) => encloses(n, c)).sort(byEnd);
    for (const c of inside.reverse()) {
      if (this.visited.has(c) || c.end > this.now || c.end <= n.start) continue;
      this.visited.add(c);
      this.back(c.end, own);
      this.whole(c, own);
    }
    this.back(n.start, own);
  }

  whole(n, around) {
    if (n.role === "write") return this.write(n);
    if (n.role === "read") return this.cover(n, segment(n, "read", n.name));
    if (n.role === "admit") return this.back(n.start, segment(n, "webhook", n.name));
    if (n.role === "reaction" || n.role === "phase") {
      const [action] = cutAt(n.name, " ");
      return this.back(n.start, segment(n, "waiting", Object.hasOwn(PHASES, action) ? PHASES[action] : "starting"));
    }
    if (n.role === "converge") return undefined;
    const call = n.name.startsWith("Call ") && n.name.endsWith(" webhook");
    if (around.reason === "webhook") return this.cover(n, segment(n, "webhook", around.detail));
    return this.cover(n, call ? segment(n, "webhook", textOf(n.raw, "webhook") || n.name) : segment(n, around.reason, n.name));
  }

  reconcile(n) {
    const first = this.segments.length;
    this.cover(n, segment(n, "code"));
    this.carve(first, waitOf(n.raw, RECONCILE + "read_wait"), "read_wait", ["read", "code"]);
    const inWrites = n.children.reduce((sum, c) => sum + waitOf(c.raw, "operator.write.rate_limiter_wait"), 0n);
    this.carve(first, waitOf(n.raw, RECONCILE + "rate_limiter_wait") - inWrites, "rate_limiter", ["read", "code"]);
    if (this.retried === n) for (const s of this.segments.slice(first)) s.reason = "conflict";
    const ready = n.start - waitOf(n.raw, RECONCILE + "queue_wait");
    this.back(ready, segment(n, "queue"));
    return this.released(n, ready);
  }

  carve(first, wait, to, of) {
    let left = wait;
    for (let i = this.segments.length - 1; i >= first && left > 0n; i--) {
      const s = this.segments[i];
      if (!of.includes(s.reason)) continue;
      const duration = left < s.duration ? left : s.duration;
      left -= duration;
      const waited = { ...s, reason: to, duration };
      if (duration === s.duration) this.segments[i] = waited;
      else {
        this.segments[i] = { ...s, offset: s.offset + duration, duration: s.duration - duration };
        this.segments.splice(i + 1, 0, waited);
      }
    }
  }

  released(n, ready) {
    const delay = waitOf(n.raw, RECONCILE + "delay");
    const reason = textOf(n.raw, RECONCILE + "requeue_reason");
    const asked = reason && (delay > 0n || textOf(n.raw, RECONCILE + "trigger") === "requeue");
    if (asked || (reason === "conflict" && this.graph.previous(n))) return this.requeued(n, ready - delay);
    if (delay > 0n) this.back(ready - delay, segment(n, "requeue", "delay of an event handler"));
    return this.caused(n, ready - delay);
  }

  requeued(n, asked) {
    const reason = textOf(n.raw, RECONCILE + "requeue_reason");
    const before = this.graph.previous(n);
    const wait = segment(n, "requeue");
    if (reason === "conflict") [wait.reason, this.retried] = ["conflict", before];
    else if (reason === "error") [wait.reason, wait.detail] = ["back_off", before ? failureOf(before) : ""];
    if (!before) {
      this.back(asked, wait);
      return this.enclosing(n);
    }
    if (wait.reason !== "requeue" || asked - before.end <= REQUEUE_TOLERANCE + waitOf(n.raw, RECONCILE + "delay") / 20n) {
      this.back(before.end, wait);
      return before;
    }
    const polled = this.becameReady(n, asked - REQUEUE_TOLERANCE);
    if (polled) {
      wait.detail = "until the poll after " + objectText(polled.object) + " was ready";
      this.back(polled.end, wait);
      return polled;
    }
    if (textOf(before.raw, RECONCILE + "result") === "requeue_after") {
      wait.detail = "polling by reconciles that changed nothing";
      this.back(before.end, wait);
    }
    this.back(asked, wait);
    this.back(before.end, this.unknown("earlier reconciles have no span", n.object));
    return before;
  }

  becameReady(n, from) {
    const uids = new Set(this.graph.related.get(n.object.key) ?? []);
    const all = [...uids].flatMap((uid) => this.graph.writes.get(uid) ?? []).filter((w) => w.object.key !== n.object.key && madeReady(w)).sort(byEnd);
    return all.filter((w) => w.end <= this.now && w.end >= from && !this.visited.has(w)).at(-1) ?? null;
  }

  caused(n, ready) {
    let [cause, exact] = this.cause(n);
    const about = causeObject(n);
    if (!exact && textOf(n.raw, RECONCILE + "requeue_reason") && matches(about, n.object) && this.graph.previous(n)) return this.requeued(n, ready);
    if (!exact) {
      const before = this.before(n);
      if (before && follows(n, before)) [cause, exact] = [before, true];
      else cause ??= before;
    }
    const known = about.key !== NO_OBJECT.key;
    if (!cause) {
      if (known) this.back(this.start, this.unknown("not observed", about));
    } else if (exact) this.back(cause.end, this.delivered(n, cause, ready));
    else this.back(cause.end, known ? this.unknown("not observed", about) : this.unknown("no cause is recorded", n.object));
    return cause;
  }

  // cause returns the recorded write, or not exactly the last write of the object before it.
  cause(n) {
    const of = (key) => textOf(n.raw, RECONCILE + "cause." + key);
    const span = of("span_id") && this.graph.spans.get(placeOf(of("trace_id"), of("span_id")));
    if (span && span !== n) return [span, true];
    const [uid, number] = [of("uid"), of("resource_version")];
    if (!uid || !number) return [null, false];
    const write = this.graph.versions.get(placeOf(uid, number));
    if (write && write !== n) return [write, true];
    if (textOf(n.raw, RECONCILE + "trigger").startsWith("delete ") && this.graph.deletes.has(uid)) return [this.graph.deletes.get(uid), false];
    const last = (this.graph.writes.get(uid) ?? []).filter((w) => w.version < versionOf(number)).at(-1);
    return last && last !== n && last.version > 0n ? [last, false] : [null, false];
  }

  delivered(n, cause, ready) {
    const trigger = textOf(n.raw, RECONCILE + "trigger");
    const took = ready - cause.end;
    const listed = trigger.startsWith("create ") && /^(update|patch)/.test(cause.name);
    const s = { ...segment(n, "watch"), object: cause.object };
    if (took >= MAX_DELIVERY && !trigger) return { ...s, actor: "", reason: "unknown", detail: "no cause is recorded" };
    return took >= MAX_DELIVERY || (listed && took >= REQUEUE_TOLERANCE) ? { ...s, reason: "down" } : s;
  }

  // creator returns the only controller that created and wrote a deleted object, or "".
  creator(n) {
    if (!/^(delete|remove) /.test(n.name + " ")) return "";
    const writes = (this.graph.writes.get(textOf(n.raw, "operator.object.uid")) ?? []).filter((w) => w.service && w.service !== "unknown");
    const services = new Set(writes.map((w) => w.service));
    return services.size === 1 && writes.some((w) => w.name.startsWith("create ")) ? writes[0].service : "";
  }

  reaction(n) {
    if (n.name === "start Pod") return this.cover(n, segment(n, "waiting", "starting"));
    if (!n.service || n.service === "unknown") {
      const actor = this.creator(n);
      return this.back(n.start, actor ? { ...segment(n, "reaction", n.name), actor, inferred: true } : this.unknown("the writer is unknown", n.object));
    }
    if (isTrue(n.raw, "operator.observer.lost")) return this.back(n.start, this.unknown("writes before may be lost", n.object));
    if (textOf(n.raw, "operator.cause.certainty") === "sequence") {
      const [cause, exact] = this.cause(n);
      const before = exact ? cause : this.before(n);
      if (before && transition(before, "", "False")) return this.back(n.start, blocked(n, before));
      return this.back(n.start, this.unknown("no observed change caused it", n.object));
    }
    const refused = n.name === "bind Pod" && (this.graph.writes.get(textOf(n.raw, "operator.object.uid")) ?? [])
      .filter((w) => w !== n && transition(w, "PodScheduled", "False") && w.end > n.start && w.end < this.now).at(-1);
    if (refused) this.back(refused.end, blocked(n, refused));
    return this.back(n.start, segment(n, "reaction", n.name));
  }
}

function blocked(n, refused) {
  return { ...segment(n, "waiting", refusal(refused)), object: refused.object, node: refused };
}

// encloses reports whether a child is a part of a span, and not an effect of it.
function encloses(n, c) {
  if (n.role === "reaction") return c.service === n.service && (c.role === "phase" || c.role === "reaction");
  if (c.role === "admit" || c.role === "other") return ["write", "read", "other", "reconcile"].includes(n.role);
  return (c.role === "read" || c.role === "write") && (n.role === "reconcile" || n.role === "other");
}

// follows reports whether a span is a reaction to its parent.
function follows(n, before) {
  const cause = causeObject(n);
  const about = cause.key === NO_OBJECT.key ? n.object : cause;
  const trigger = textOf(n.raw, RECONCILE + "trigger");
  if (!before.object.kind || (!matches(about, before.object) && !matches(before.object, about))) return false;
  return n.role === "reaction" || before.role === "admit" || !trigger || trigger.startsWith("create ");
}

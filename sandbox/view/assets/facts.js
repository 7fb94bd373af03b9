// The facts that a span records beside its times. It reimplements package fact. A test compares the
// two.

const EVENT_FACTS = {
  conflict: ["conflict", "≠", true], already_exists: ["already exists", "!", true], not_found: ["not found", "!", false],
  denied: ["denied", "✗", true], stale_read: ["stale read", "!", false],
};
const FLAG_FACTS = [["operator.write.unchanged", "unchanged", "="], ["operator.observer.lost", "versions lost", "?"], ["operator.observer.unfinished", "unfinished", "?"]];
const WAIT_FACTS = [["operator.reconcile.read_wait", "read-your-own-writes wait "], ["operator.reconcile.rate_limiter_wait", "rate limiter "], ["operator.write.rate_limiter_wait", "rate limiter "]];
const READINESS = ["Ready", "Available", "Complete", "Established", "Succeeded"];
const DELAYS = { error: "back-off", conflict: "conflict back-off", requeue: "requeue", requeue_after: "scheduled requeue" };
const MIN_WAIT = 1000000n;
const MAX_SECONDS = 10 * 365 * 24 * 3600;

const valueOf = (raw, key) => raw.attributes?.find((a) => a.key === key)?.value;
const textOf = (raw, key) => valueOf(raw, key)?.stringValue ?? "";
const isTrue = (raw, key) => valueOf(raw, key)?.boolValue === true;

// secondsOf returns an attribute in seconds as nanoseconds; 0 for values that no wait can have.
function secondsOf(raw, key) {
  const value = valueOf(raw, key);
  const seconds = Number(value?.doubleValue ?? value?.intValue ?? 0);
  return seconds > 0 && seconds < MAX_SECONDS ? BigInt(Math.round(seconds * 1e9)) : 0n;
}

// cutAt splits a text at the first separator.
function cutAt(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, "", false] : [text.slice(0, at), text.slice(at + separator.length), true];
}

function factsOf(node) {
  const { raw } = node;
  const facts = [];
  const add = (text, mark, bad = false) => {
    if (!facts.some((f) => f.text === text && f.mark === mark)) facts.push({ text, mark, bad });
  };
  const events = raw.events ?? [];
  for (const event of events) {
    if (!Object.hasOwn(EVENT_FACTS, event.name ?? "")) continue;
    const [text, mark, bad] = EVENT_FACTS[event.name];
    const message = textOf(event, "operator.admission.message");
    add(message ? text + ": " + message : text, mark, bad);
  }
  addOutcome(node, events, add);
  const transitions = events.map((event) => [event, ...cutAt(event.name ?? "", ": ")]).filter(([, kind, change]) => kind && change.includes("→"));
  for (const ready of [true, false]) {
    for (const [event, kind] of transitions) {
      if (READINESS.includes(kind) !== ready) continue;
      const reason = textOf(event, "operator.condition.reason");
      add(reason ? event.name + " (" + reason + ")" : event.name, "●");
    }
  }
  const cause = causeOf(raw, node.parent);
  if (cause) add("← " + cause, "←");
  for (const [key, text] of WAIT_FACTS) {
    const wait = secondsOf(raw, key);
    if (wait >= MIN_WAIT) add(text + formatDuration(wait), "…");
  }
  return facts;
}

function addOutcome({ raw, status }, events, add) {
  const result = textOf(raw, "operator.reconcile.result");
  const after = secondsOf(raw, "operator.reconcile.requeue_after");
  if (result === "error") {
    if (status !== "Error" && !events.some((e) => e.name === "conflict")) add("error", "✗", true);
  } else if (result === "requeue_after") add("requeue after" + (after > 0n ? " " + formatDuration(after) : ""), "↻");
  else if (result === "requeue") add(result, "↻");
  else if (result !== "" && result !== "success") add(result.replaceAll("_", " "), "✗", true);
  const attempt = valueOf(raw, "operator.reconcile.attempt");
  if (attempt && valueText(attempt) !== "1") add("attempt " + valueText(attempt), "↻");
  for (const [key, text, mark] of FLAG_FACTS) if (isTrue(raw, key)) add(text, mark);
}

// causeOf returns the trigger of a span, unless the tree shows it.
function causeOf(raw, parent) {
  let [verb, kind] = cutAt(textOf(raw, "operator.reconcile.trigger"), " ");
  const name = textOf(raw, "operator.reconcile.cause.name");
  kind = textOf(raw, "operator.reconcile.cause.kind") || kind;
  if (!kind) return "";
  if (parent) {
    const about = textOf(parent.raw, "operator.object.kind") === kind && (!name || textOf(parent.raw, "operator.object.name") === name);
    const version = textOf(raw, "operator.reconcile.cause.resource_version");
    if (textOf(raw, "operator.reconcile.cause.span_id") === parent.id) return "";
    if (about && (!verb || verb === "create" || (version && version === textOf(parent.raw, "operator.write.resource_version")))) return "";
  }
  return (verb + " " + kind).trim() + (name ? "/" + name : "");
}

// isWrite reports whether a span is a write of an operator or of an observed controller.
function isWrite({ raw, kind, name }) {
  if (isTrue(raw, "operator.observed")) return !textOf(raw, "k8s.container.name");
  if (valueOf(raw, "operator.object.kind") === undefined) return false;
  return kind === "PRODUCER" || (kind === "CLIENT" && !/^(get|list)[ _]/.test(name + " "));
}

// waitsOf returns the waits of a reconcile: its delay, and its time in the queue.
function waitsOf(raw) {
  const waits = [];
  const queue = secondsOf(raw, "operator.reconcile.queue_wait");
  const delay = secondsOf(raw, "operator.reconcile.delay");
  const reason = textOf(raw, "operator.reconcile.requeue_reason");
  if (delay > 0n || reason) waits.push({ name: Object.hasOwn(DELAYS, reason) ? DELAYS[reason] : "delay", end: queue, duration: delay });
  if (queue >= MIN_WAIT) waits.push({ name: "queue", end: 0n, duration: queue });
  return waits;
}

// The page that Jaeger serves for every path outside its API: a search, or a trace below trace/.
// Addresses are relative to the document's base, which Jaeger sets to its base path.

const main = document.querySelector("main");
const parameters = new URLSearchParams(location.search);

// answer reads from Jaeger's API. It returns null if Jaeger answers 404 Not Found.
async function answer(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  const text = await response.text();
  if (response.status === 404) return null;
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // The check of body below reports it.
  }
  if (!response.ok || !body || body.error) throw new Error(`Jaeger answered ${response.status}: ${body?.error?.message ?? text.slice(0, 200)}`);
  return body;
}

function say(role, text) {
  return el("p", { role, class: role === "alert" ? "message failure" : "message" }, escapeText(text));
}

const linkTo = (id) => "trace/" + encodeURIComponent(id);

function searchLink() {
  return el("p", { class: "message" }, el("a", { href: "search" }, "Search traces"));
}

// readTrace reads a trace with its explanation and the traces that continue it from the server in
// front of Jaeger. Without such a server, it reads the spans from Jaeger.
async function readTrace(id) {
  const explained = await answer("sandbox/traces/" + id).catch(() => null);
  return explained ?? { otlp: (await answer("api/v3/traces/" + id + "?raw_traces=true"))?.result };
}

async function showTrace(id) {
  document.title = "Trace " + escapeText(id);
  const shown = await readTrace(encodeURIComponent(id));
  const [trace] = shownTraces(shown);
  if (!trace) {
    main.replaceChildren(el("h1", { class: "message" }, document.title), say("alert", "Jaeger has no trace with this id. It keeps traces in memory and loses them when it restarts."), searchLink());
    return;
  }
  const missing = shown.why ? [] : [say("status", "To see why it took that long, run: sandbox trace --why --id=" + trace.id)];
  main.replaceChildren(searchLink(), ...missing, ...tracePage(trace, document.title, linkTo, shown));
}

const LOOKBACKS = [["15", "15 minutes"], ["60", "hour"], ["360", "6 hours"], ["1440", "day"], ["10080", "week"]];

async function showSearch() {
  document.title = "Traces";
  const { services = [] } = (await answer("api/v3/services")) ?? {};
  services.sort();
  const wanted = parameters.get("service");
  const service = services.includes(wanted) ? wanted : services[0];
  const known = service ? await answer("api/v3/operations?service=" + encodeURIComponent(service)) : null;
  const operations = [...new Set((known?.operations ?? []).map((o) => o.name ?? ""))].sort();
  const results = el("div", { class: "results", "aria-live": "polite" });
  const form = searchForm(services, service, operations);
  main.replaceChildren(el("header", { class: "top" }, el("h1", {}, "Traces"), form), results);
  if (!service) {
    results.append(say("status", "Jaeger has no spans yet."));
    return;
  }
  results.append(say("status", "Searching …"));
  results.replaceChildren(...await find(service));
}

// searchForm returns the search form, which the browser submits as a URL. Choosing another service
// reloads the page, because each service has its own operations.
function searchForm(services, service, operations) {
  const choice = (name, label, options, selected) => el("label", {}, label + " ", el("select", { name }, options.map(([value, text]) =>
    el("option", { value, selected: value === selected ? "" : null }, escapeText(text)))));
  const chosen = choice("service", "Service", services.map((s) => [s, s]), service);
  const form = el("form", { action: "search", method: "get", class: "tools", role: "search" }, chosen,
    choice("operation", "Span", [["", "any"], ...operations.map((o) => [o, o])], parameters.get("operation") ?? ""),
    choice("lookback", "In the last", LOOKBACKS, parameters.get("lookback") ?? "60"),
    el("label", {}, "At least ", el("input", { name: "min", size: 8, placeholder: "100ms", value: parameters.get("min") ?? "", pattern: "\\s*([0-9.]+(ns|us|µs|ms|s|m|h))*\\s*", title: "a duration such as 1.5s or 100ms" })),
    choice("limit", "Most", ["20", "100", "500"].map((n) => [n, n]), parameters.get("limit") ?? "20"),
    el("button", {}, "Find traces"));
  chosen.addEventListener("change", () => {
    form.elements.operation.value = "";
    form.requestSubmit();
  });
  return form;
}

async function find(service) {
  const minutes = Number(parameters.get("lookback") ?? 60) || 60;
  const limit = Number(parameters.get("limit") ?? 20) || 20;
  const now = Date.now();
  const query = new URLSearchParams({
    "query.service_name": service, "query.start_time_min": new Date(now - minutes * 60000).toISOString(),
    // Clocks can differ slightly.
    "query.start_time_max": new Date(now + 60000).toISOString(), "query.num_traces": limit, "query.search_depth": limit, "query.raw_traces": true,
  });
  const operation = parameters.get("operation");
  if (operation && parameters.get("service") === service) query.set("query.operation_name", operation);
  const shortest = (parameters.get("min") ?? "").trim();
  if (shortest) query.set("query.duration_min", shortest);
  const body = await answer("api/v3/traces?" + query);
  const models = tracesOf(body?.result ?? {}).map((trace) => layOut(trace)).sort((a, b) => (a.begin > b.begin ? -1 : 1));
  if (models.length === 0) return [say("status", "No traces found. Jaeger keeps traces in memory and loses them when it restarts.")];
  return [say("status", plural(models.length, "trace") + (models.length >= limit ? " (there may be more)" : "")), resultTable(models)];
}

function resultTable(models) {
  const longest = models.reduce((most, m) => (m.total > most ? m.total : most), 1n);
  const rows = models.map((model) => {
    const bar = el("span", { class: "bar" });
    bar.style.width = percent(model.total, longest);
    return el("tr", { class: model.failed ? "failed" : "server" },
      el("td", { class: "root" }, el("a", { href: linkTo(model.id) }, shownName(model.rows[0])),
        el("span", { class: "text" }, labelsOf(model.rows[0]).map((label) => " " + escapeText(label)))),
      el("td", {}, wallTime(model.begin)), el("td", { class: "time" }, formatDuration(model.total > 1n ? model.total : 0n)),
      el("td", { class: "bars", "aria-hidden": "true" }, el("div", { class: "lane" }, bar)),
      el("td", { class: "count" }, plural(model.spans, "span")),
      el("td", { class: model.failed ? "mark" : null }, model.failed ? "✗ " + model.failed + " failed" : ""),
      el("td", { class: "services" }, escapeText(model.services.join(", "))));
  });
  const header = ["First span", "Begin", "Time"].map((t) => el("th", { scope: "col", class: t.toLowerCase() }, t));
  return el("table", { class: "found", "aria-label": "Traces found" }, el("thead", {}, el("tr", {}, header,
    el("th", { class: "bars", "aria-hidden": "true" }), ["Spans", "Failures", "Services"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, rows));
}

const place = location.pathname.slice(new URL(document.baseURI).pathname.length);
const traceID = place.match(/^trace\/([^/]+)/)?.[1];
(traceID ? showTrace(decodeURIComponent(traceID)) : showSearch()).catch((failure) => {
  main.replaceChildren(el("h1", { class: "message" }, document.title), say("alert", failure.message), searchLink());
});

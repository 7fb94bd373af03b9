// The self-contained page: it embeds the trace, the traces that continue it, and its explanation.

const otlp = JSON.parse(document.getElementById("otlp").textContent);
const main = document.querySelector("main");
const why = JSON.parse(document.getElementById("why")?.textContent ?? "null");
for (const trace of joinTraces(tracesOf(otlp), JSON.parse(main.dataset.continued))) {
  main.append(...tracePage(trace, document.title, null, { why, selection: main.dataset.selection }));
}

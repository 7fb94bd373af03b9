// The page that is a file: the trace is in it, with the traces that continue it.

const otlp = JSON.parse(document.getElementById("otlp").textContent);
const main = document.querySelector("main");
for (const trace of joinTraces(tracesOf(otlp), JSON.parse(main.dataset.continued))) main.append(...tracePage(trace, document.title));

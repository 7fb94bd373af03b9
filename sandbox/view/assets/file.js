// The self-contained page: it embeds the trace and the traces that continue it.

const otlp = JSON.parse(document.getElementById("otlp").textContent);
const main = document.querySelector("main");
for (const trace of joinTraces(tracesOf(otlp), JSON.parse(main.dataset.continued))) main.append(...tracePage(trace, document.title));

// The self-contained page: it embeds the trace, the traces that continue it, and its explanation.

const shown = JSON.parse(document.getElementById("trace").textContent);
const main = document.querySelector("main");
for (const trace of shownTraces(shown)) main.append(...tracePage(trace, document.title, null, shown));

// The page that is a file: the trace is in it.

const otlp = JSON.parse(document.getElementById("otlp").textContent);
const main = document.querySelector("main");
for (const trace of tracesOf(otlp)) main.append(...tracePage(trace, document.title));

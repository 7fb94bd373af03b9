// Package browser opens the sandbox's pages in headless Chromium: the page that `sandbox trace -o html` writes, the picture of
// `-o svg`, and the page that the sandbox's Jaeger serves where it has none of its own.
//
// It has tests alone; scripts/browser.sh runs them. They need Chromium, which scripts/prerequisites.sh installs on Debian, and programs
// for an embedded sandbox, which they build or find in the cache. Nothing in them reaches beyond this machine.
package browser

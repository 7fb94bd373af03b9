// Package browser opens the sandbox's pages in headless Chromium: the page of `sandbox trace -o
// html`, the picture of `-o svg`, and the page that the sandbox's Jaeger serves if it has no page
// of its own.
//
// The package contains only tests, which scripts/browser.sh runs. They need Chromium, which
// scripts/prerequisites.sh installs on Debian, and programs for an embedded sandbox, which they
// build or find in the cache. They access only this machine.
package browser

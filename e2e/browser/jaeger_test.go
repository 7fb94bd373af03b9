package browser

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

const (
	upLimit   = 3 * time.Minute
	downLimit = time.Minute
	// operatorService is the service name of the reference operator.
	operatorService = "demo-services-for-tracing"
)

// newSandbox starts an embedded sandbox, and returns the addresses of its Jaeger.
func newSandbox(t *testing.T) provider.Addresses {
	t.Helper()
	s := &rig.Sandbox{
		T: t, Name: "browser", Dir: filepath.Join(t.TempDir(), "state"),
		// CI names images for kind.
		Env: []string{"SANDBOX_CLUSTER=embedded", "SANDBOX_IMAGES="},
	}
	t.Cleanup(func() { remove(s) })
	if out, err := s.Run(t.Context(), upLimit, "up"); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	return s.WantUp().Jaeger
}

func remove(s *rig.Sandbox) {
	// The test's own context is already cancelled.
	if out, err := s.Run(context.Background(), downLimit, "down"); err != nil {
		s.T.Errorf("removing the sandbox: %v\n%s", err, out)
	}
}

// send loads traces into Jaeger, and waits until it has them.
func send(t *testing.T, client *jaeger.Client, address string, traces ...tracetree.Trace) {
	t.Helper()
	sender, err := jaeger.DialOTLP(address)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	for _, trace := range traces {
		if err := sender.Send(t.Context(), trace); err != nil {
			t.Fatal(err)
		}
		if _, err := tracetree.WaitComplete(t.Context(), client, trace.ID, tracetree.Conditions{Quiet: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
}

// now moves a trace of these tests to the present, so that searches find it.
func now(otlp, id string) string {
	const begin = "17000000000" // The first digits of the times of spanJSON.
	recent := fmt.Sprint(time.Now().Add(-time.Minute).UnixNano())[:len(begin)]
	return strings.ReplaceAll(strings.ReplaceAll(otlp, `Nano":"`+begin, `Nano":"`+recent), testTrace, id)
}

const hostileTrace = "fedcba9876543210fedcba9876543210"

// TestJaegerPage tests the project's page at Jaeger's port: search, find, open.
func TestJaegerPage(t *testing.T) {
	addresses := newSandbox(t)
	client, err := jaeger.Dial(addresses[component.UI])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	linked := strings.Replace(tidy(), `"kind":`, `"links":[{"traceId":"`+hostileTrace+`","spanId":"0000000000000001"}],"kind":`, 1)
	send(t, client, addresses[component.OTLPGRPC], parsed(t, now(linked, testTrace)), parsed(t, now(hostile(), hostileTrace)))

	t.Run("search", func(t *testing.T) { searchAndOpen(t, addresses, client) })
	t.Run("filters", func(t *testing.T) { filters(t, addresses) })
	t.Run("hostile", func(t *testing.T) { hostileInJaeger(t, addresses, client) })
	t.Run("links", func(t *testing.T) {
		p := open(t, addresses[component.UI]+"/trace/"+testTrace)
		p.waitFor(`document.querySelectorAll("tr.span").length === 3`)
		p.click("tr.span:nth-child(1)")
		p.click(".details a")
		p.waitFor(`location.pathname === "/trace/` + hostileTrace + `" && document.querySelectorAll("tr.span").length > 3`)
		p.wantQuiet(addresses[component.UI] + "/")
	})
	t.Run("unknown", func(t *testing.T) { unknown(t, addresses) })
	t.Run("base path", func(t *testing.T) { belowAPath(t, addresses) })
}

// tidy returns a small correct trace.
func tidy() string {
	return traceJSON(spanJSON(1, 0, "buy", 0, 90_000_000, ""), spanJSON(2, 1, "pay", 10_000_000, 20_000_000, ""), spanJSON(3, 1, "ship", 30_000_000, 80_000_000, ""))
}

// choose selects a value in a selection of the page, as a user does.
func (p *tab) choose(name, value string) {
	p.Helper()
	if !eval[bool](p, fmt.Sprintf(`(() => { const s = document.querySelector("select[name=%s]"); s.value = %s;
		s.dispatchEvent(new Event("change", { bubbles: true })); return s.value !== ""; })()`, name, jsonText(value))) {
		p.Fatalf("%s without the choice %q", name, value)
	}
}

// searchAndOpen selects the operator's service, finds the sample's trace, and opens it.
func searchAndOpen(t *testing.T, addresses provider.Addresses, client *jaeger.Client) {
	p := open(t, addresses[component.UI]+"/")
	p.waitFor(`document.querySelectorAll("table.found tbody tr").length > 0`)
	services := eval[[]string](p, `[...document.querySelectorAll("select[name=service] option")].map((o) => o.value)`)
	if !slices.Contains(services, operatorService) || !slices.Contains(services, "shop") {
		t.Fatalf("services = %q", services)
	}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		wantContrast(p, "body *", "behind(e)", "color")
	}
	all := p.accessibles()
	for _, name := range []string{"Service", "Span", "In the last", "Most"} {
		if !slices.ContainsFunc(withRole(all, "combobox"), func(a accessible) bool { return strings.HasPrefix(a.Name, name) }) {
			t.Errorf("no selection is named %q", name)
		}
	}
	if tables := withRole(all, "table"); len(tables) != 1 || tables[0].Name != "Traces found" {
		t.Errorf("tables = %+v", tables)
	}

	p.choose("service", operatorService)
	p.waitFor(`new URLSearchParams(location.search).get("service") === "` + operatorService + `" && document.querySelectorAll("table.found a").length > 0`)
	id := eval[string](p, `document.querySelector("table.found a").href.split("/").pop()`)
	if got := eval[string](p, `document.querySelector("table.found .root").textContent`); got != "apply Head head-sample" {
		t.Errorf("listed trace = %q", got)
	}
	p.do(chromedp.Focus(chromedp.CSS("table.found a")))
	p.press(kb.Enter)
	p.waitFor(`document.querySelectorAll("tr.span").length >= 12`)
	trace, err := client.GetTrace(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rowsOf(explained(t, trace)), eval[[]string](p, rowsJS)); diff != "" {
		t.Errorf("rows (-terminal +page):\n%s", diff)
	}
	if got := eval[string](p, `location.href`); got != addresses[component.UI]+"/trace/"+id {
		t.Errorf("address of the trace = %s", got)
	}
	p.press(kb.Tab)
	p.click("tr.span")
	if text := eval[string](p, `document.querySelector(".details").innerText`); !strings.Contains(text, "service.name\nsandbox") { // The span of the apply.
		t.Errorf("details =\n%s", text)
	}
	p.wantQuiet(addresses[component.UI] + "/")
}

func filters(t *testing.T, addresses provider.Addresses) {
	for _, test := range []struct {
		query string
		want  int
	}{
		{"service=shop", 1}, {"service=shop&operation=pay", 1}, {"service=shop&min=80ms", 1}, {"service=shop&operation=ship&limit=100&lookback=1440", 1},
		{"service=shop&min=10h", 0}, {"service=shop&operation=none", 0},
	} {
		p := open(t, addresses[component.UI]+"/search?"+test.query)
		p.waitFor(`/[Tt]race/.test(document.querySelector(".results")?.innerText ?? "")`)
		if got := eval[int](p, `document.querySelectorAll("table.found tbody tr").length`); got != test.want {
			t.Errorf("%s finds %d traces, want %d", test.query, got, test.want)
		}
		if test.want > 0 {
			p.wantQuiet(addresses[component.UI] + "/")
		}
	}
	p := open(t, addresses[component.UI]+"/search?service=shop")
	p.waitFor(`document.querySelector("form") !== null`)
	p.do(chromedp.SendKeys(chromedp.CSS("input[name=min]"), "10h"))
	p.press(kb.Enter)
	p.waitFor(`new URLSearchParams(location.search).get("min") === "10h" && /No traces found/.test(document.querySelector(".results")?.innerText ?? "")`)
	p = open(t, addresses[component.UI]+"/search?service=shop&min=soon")
	p.waitFor(`document.querySelector("[role=alert]") !== null`)
	if got := eval[string](p, `document.querySelector("[role=alert]").textContent`); !strings.Contains(got, "400") || !strings.Contains(got, "duration_min") {
		t.Errorf("message for an invalid duration = %q", got)
	}
}

// hostileInJaeger lists and opens the trace with hostile service and span names.
func hostileInJaeger(t *testing.T, addresses provider.Addresses, client *jaeger.Client) {
	trace, err := client.GetTrace(t.Context(), hostileTrace)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, addresses[component.UI]+"/search?service="+url.QueryEscape(trace.Spans()[0].Service))
	p.waitFor(`document.querySelectorAll("table.found a").length === 1`)
	p.click("table.found a")
	p.waitFor(fmt.Sprintf(`document.querySelectorAll("tr.span").length === %d`, trace.Len()))
	if diff := cmp.Diff(rowsOf(explained(t, trace)), eval[[]string](p, rowsJS)); diff != "" {
		t.Errorf("rows (-terminal +page):\n%s", diff)
	}
	if got := eval[int](p, `document.querySelectorAll("img, iframe, main script").length`); got != 0 {
		t.Errorf("texts made %d elements", got)
	}
	p.wantQuiet(addresses[component.UI] + "/")
}

func unknown(t *testing.T, addresses provider.Addresses) {
	for path, want := range map[string]string{
		"/trace/00000000000000000000000000000001":             "Jaeger has no trace with this id.",
		"/trace/" + url.PathEscape("<img src=x onerror=a()>"): "Jaeger answered 400",
	} {
		p := open(t, addresses[component.UI]+path)
		p.waitFor(`document.querySelector("[role=alert]") !== null`)
		if got := eval[string](p, `document.querySelector("[role=alert]").textContent`); !strings.HasPrefix(got, want) {
			t.Errorf("message at %s = %q, want %q", path, got, want)
		}
		if got := eval[int](p, `document.querySelectorAll("img").length`); got != 0 {
			t.Error("the address created an element")
		}
		p.click("a")
		p.waitFor(`document.querySelector("form") !== null`)
	}
}

// belowAPath serves the page as Jaeger does with a base path, which is the base of the page, in
// front of a broken API.
func belowAPath(t *testing.T, addresses provider.Addresses) {
	target, err := url.Parse(addresses[component.UI])
	if err != nil {
		t.Fatal(err)
	}
	const base = "/some/jaeger"
	page := read(t, addresses[component.UI]+"/")
	var broken atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, below := strings.CutPrefix(r.URL.Path, base)
		switch {
		case !below:
			http.NotFound(w, r)
		case strings.HasPrefix(path, "/api/") && broken.Load():
			http.Error(w, "<html><script>alert(1)</script>bad gateway", http.StatusBadGateway)
		case strings.HasPrefix(path, "/api/"):
			http.StripPrefix(base, proxy).ServeHTTP(w, r)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, strings.Replace(page, `<base href="/"`, `<base href="`+base+`/"`, 1))
		}
	}))
	defer server.Close()
	p := open(t, server.URL+base+"/search?service=shop")
	p.waitFor(`document.querySelectorAll("table.found a").length === 1`)
	p.click("table.found a")
	p.waitFor(`location.pathname === "` + base + `/trace/` + testTrace + `" && document.querySelectorAll("tr.span").length === 3`)
	p.wantQuiet(server.URL + base + "/")

	broken.Store(true)
	p = open(t, server.URL+base+"/")
	p.waitFor(`document.querySelector("[role=alert]") !== null`)
	if got := eval[string](p, `document.querySelector("[role=alert]").textContent`); got != `Jaeger answered 502: <html><script>alert(1)</script>bad gateway\n` {
		t.Errorf("message for a broken API = %q", got)
	}
}

// read returns a page without a browser.
func read(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

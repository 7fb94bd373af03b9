package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// shownJS lists the labels of the visible rows.
const shownJS = `[...document.querySelectorAll("[role=treegrid] tbody tr")].filter((r) => r.offsetParent).map((r) => r.querySelector(".label").textContent)`

// explainedRecordings returns the recordings of package explain that contain exactly one trace.
func explainedRecordings(t *testing.T) map[string]tracetree.Trace {
	t.Helper()
	files, err := filepath.Glob("../../sandbox/explain/testdata/recorded/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("finding recorded traces = %q, %v", files, err)
	}
	found := map[string]tracetree.Trace{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		traces, err := tracetree.ReadOTLP(file, data)
		if err != nil {
			t.Fatal(err)
		}
		if len(traces) == 1 {
			found[filepath.Base(file)] = traces[0]
		}
	}
	return found
}

func namesOf(w *view.Waterfall) []string {
	names := []string{}
	for _, row := range w.Rows {
		names = append(names, row.Name)
	}
	return names
}

// TestWhyInThePage tests that the page has the lines of `--why` in a panel, and the critical path
// in its lanes. Its selections are the ones of `--only`.
func TestWhyInThePage(t *testing.T) {
	for name, trace := range map[string]tracetree.Trace{"recorded": recorded(t), "observed": explainedRecordings(t)["unschedulable.json"], "eventful": parsed(t, eventful())} {
		t.Run(name, func(t *testing.T) {
			e, err := explain.Of(trace.Forest(), explain.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w, p := explained(t, trace), open(t, explainedPage(t, trace, ""))
			if diff := cmp.Diff(rowsOf(w), eval[[]string](p, rowsJS)); diff != "" {
				t.Errorf("rows (-terminal +page):\n%s", diff)
			}
			if got, want := eval[string](p, `document.querySelector(".why pre").textContent`), strings.Join(report.Lines(e, 0), "\n"); got != want {
				t.Errorf("text of the panel =\n%s\nwant\n%s", got, want)
			}
			if got := eval[int](p, `document.querySelectorAll(".lane .critical").length`); got == 0 || got > len(e.Path) {
				t.Errorf("the lanes have %d parts of the path, want 1 to %d", got, len(e.Path))
			}
			for _, selection := range []string{view.OnlyPath, view.OnlyFailures, view.OnlyWrites, ""} {
				p.selectRows(selection)
				if diff := cmp.Diff(namesOf(w.Only(selection)), eval[[]string](p, shownJS)); diff != "" {
					t.Errorf("rows of %q (-terminal +page):\n%s", selection, diff)
				}
			}
			for _, scheme := range []string{"light", "dark"} {
				p.scheme(scheme)
				wantContrast(p, "body *", "behind(e)", "color")
			}
			p.wantQuiet("file://")
		})
	}
}

// jaegerPage serves the page for Jaeger with one trace, which the server explains or not, and returns
// the page's address.
func jaegerPage(t *testing.T, trace tracetree.Trace, explains bool) string {
	t.Helper()
	otlp, err := trace.JSON()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch {
		case r.URL.Path == view.JaegerTraces+trace.ID && explains:
			err = explained(t, trace).WriteJSON(w, otlp)
		case r.URL.Path == "/api/v3/traces/"+trace.ID:
			_, err = fmt.Fprintf(w, `{"result":%s}`, otlp)
		default:
			err = view.WriteJaegerPage(w, label)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/trace/" + trace.ID
}

// TestWhyInJaegersPage tests that Jaeger's page shows the explanation of the server in front of
// Jaeger, as the self-contained page does.
func TestWhyInJaegersPage(t *testing.T) {
	traces := explainedRecordings(t)
	for name, otlp := range map[string]string{"eventful": eventful(), "tangled": tangled(), "hostile": hostile()} {
		traces[name] = parsed(t, otlp)
	}
	traces["not observed"], traces["two processes"] = recorded(t), twoProcesses(t)
	for name, trace := range traces {
		t.Run(name, func(t *testing.T) {
			e, err := explain.Of(trace.Forest(), explain.Options{})
			if err != nil {
				t.Fatal(err)
			}
			address := jaegerPage(t, trace, true)
			p := open(t, address)
			p.waitFor(`document.querySelector(".why") !== null`)
			if got, want := eval[string](p, `document.querySelector(".why summary").textContent`), report.Line(e, 0); got != want {
				t.Errorf("summary =\n%s\nwant\n%s", got, want)
			}
			w := explained(t, trace)
			if diff := cmp.Diff(rowsOf(w), eval[[]string](p, rowsJS)); diff != "" {
				t.Errorf("rows (-terminal +page):\n%s", diff)
			}
			p.selectRows(view.OnlyPath)
			if diff := cmp.Diff(namesOf(w.Only(view.OnlyPath)), eval[[]string](p, shownJS)); diff != "" {
				t.Errorf("path (-terminal +page):\n%s", diff)
			}
			p.wantQuiet(strings.TrimSuffix(address, "trace/"+trace.ID))
		})
	}
}

// twoProcesses returns the trace of a write, with the trace of another process that reacted to it.
func twoProcesses(t *testing.T) tracetree.Trace {
	t.Helper()
	id := tracetree.Continuation("some-uid", 2)
	span := func(trace, id, name string, start int, rest string) string {
		return fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":%q,"spanId":%q,"name":%q,"startTimeUnixNano":"%d000000000","endTimeUnixNano":"%d500000000"%s}]}]}]}`, trace, id, name, start, start, rest)
	}
	traces, err := tracetree.ReadOTLP("two processes", []byte(span("0123456789abcdef0123456789abcdef", "1111111111111111", "update Cache", 1,
		`,"attributes":[{"key":"operator.object.uid","value":{"stringValue":"some-uid"}},{"key":"operator.object.generation","value":{"intValue":"2"}}],"links":[{"traceId":"`+id+`","spanId":"3333333333333333"}]`)+
		span(id, "2222222222222222", "reconcile Cache", 2, "")))
	if err != nil || len(traces) != 2 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	return tracetree.Join(traces)[0]
}

// TestJaegersPageWithoutWhy tests that the page shows a trace without an explanation if Jaeger answers
// the request for it with the page, as it does for any other path.
func TestJaegersPageWithoutWhy(t *testing.T) {
	trace := recorded(t)
	address := jaegerPage(t, trace, false)
	p := open(t, address)
	p.waitFor(fmt.Sprintf(`document.querySelectorAll("tr.span").length === %d`, trace.Len()))
	if got, want := eval[string](p, `document.querySelector("[role=status]").textContent`), "sandbox trace --why --id="+trace.ID; !strings.HasSuffix(got, want) {
		t.Errorf("message = %q, want the command %q", got, want)
	}
	p.wantQuiet(strings.TrimSuffix(address, "trace/"+trace.ID))
}

func (p *tab) selectRows(selection string) {
	p.Helper()
	eval[bool](p, `(() => { const s = document.querySelector(".tools select"); s.value = `+jsonText(selection)+`; return s.dispatchEvent(new Event("change")); })()`)
}

// TestSelectedRows tests that a page starts with the selection of --only, and that the keys move
// between its rows.
func TestSelectedRows(t *testing.T) {
	p := open(t, explainedPage(t, recorded(t), view.OnlyWrites))
	shown := eval[[]string](p, shownJS)
	if slices.Contains(shown, "converge Head") || !slices.Contains(shown, "create Deployment") {
		t.Errorf("the page shows %q, want the writes and their parents", shown)
	}
	p.click("tr.span:nth-child(1)")
	p.press(endKey)
	p.wantFocus(shown[len(shown)-1])
	p.wantQuiet("file://")
}

package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

const endKey = kb.End

// focused is the label of the row with the focus, or another element with the focus.
const focused = `(document.activeElement.querySelector(".label") ?? document.activeElement).textContent.slice(0, 60)`

func (p *tab) wantFocus(want string) {
	p.Helper()
	if got := eval[string](p, focused); got != want {
		p.Errorf("focus = %q, want %q", got, want)
	}
}

// visible returns the number of visible rows.
func (p *tab) visible() int {
	p.Helper()
	return eval[int](p, `[...document.querySelectorAll("tr.span")].filter((r) => r.offsetParent).length`)
}

// TestKeyboard uses the keys that the ARIA Authoring Practices define for a treegrid with focusable
// rows.
func TestKeyboard(t *testing.T) {
	p := open(t, pageOf(t, recorded(t)))
	for range 20 { // The grid is one stop of the tab key.
		p.press(kb.Tab)
		if eval[bool](p, `document.activeElement.matches("tr.span")`) {
			break
		}
	}
	p.wantFocus("admit Head")
	for _, step := range []struct{ key, want string }{
		{kb.ArrowDown, "converge Head"}, {kb.ArrowDown, "reconcile Head"}, {kb.ArrowRight, "create ChildA"}, {kb.ArrowRight, "reconcile ChildA"},
		{kb.ArrowLeft, "reconcile ChildA"}, {kb.ArrowDown, "reconcile ChildA"}, {kb.ArrowUp, "reconcile ChildA"}, {kb.ArrowLeft, "create ChildA"},
		{kb.End, "update_status Head"}, {kb.Home, "admit Head"}, {kb.ArrowUp, "admit Head"}, {kb.PageDown, "update_status Head"}, {kb.PageUp, "admit Head"},
	} {
		p.press(step.key)
		p.wantFocus(step.want)
	}
	if got := p.visible(); got != 10 {
		t.Errorf("with one closed span %d are shown, want 10", got)
	}
	p.press(kb.ArrowLeft) // Closes the root.
	if got := p.visible(); got != 1 {
		t.Errorf("with the root closed %d spans are shown, want 1", got)
	}
	p.press(kb.ArrowRight)
	if got := p.visible(); got != 10 {
		t.Errorf("with the root open again %d spans are shown, want 10, because a closed descendant stays closed", got)
	}
	p.press(kb.ArrowDown, kb.Enter)
	if got := eval[string](p, `document.activeElement.getAttribute("aria-label") + ": " + document.activeElement.querySelector("h2").textContent`); got != "Details of the span: converge Head" {
		t.Errorf("Enter goes to %q", got)
	}
	p.press(kb.Escape)
	p.wantFocus("converge Head")
	if eval[bool](p, `document.querySelector(".details").checkVisibility()`) {
		t.Error("Escape leaves the details open")
	}
	p.press(kb.ArrowLeft) // A span without children goes to its parent.
	p.wantFocus("admit Head")
	if got := eval[int](p, `document.querySelectorAll("tr.span[tabindex='0']").length`); got != 1 {
		t.Errorf("the tab key stops at %d rows, want one", got)
	}
	p.wantQuiet("file://")
}

func TestMouse(t *testing.T) {
	p := open(t, pageOf(t, recorded(t)))
	p.click("tr.span:nth-child(3) .toggle")
	if got := p.visible(); got != 5 {
		t.Errorf("after a click on a triangle %d spans are shown, want 5", got)
	}
	if eval[bool](p, `document.querySelector(".details").checkVisibility()`) {
		t.Error("a click on a triangle opens the details")
	}
	for i, want := range []int{12, 1} {
		p.click(fmt.Sprintf(".tools button:nth-child(%d)", i+1))
		if got := p.visible(); got != want {
			t.Errorf("button %d shows %d spans, want %d", i+1, got, want)
		}
	}
	p.click(".tools button:nth-child(1)")
	p.click("tr.span:nth-child(7) .label")
	text := eval[string](p, `document.querySelector(".details").innerText`)
	for _, want := range []string{"update_status ChildA", "Attributes", "operator.object.kind\nChildA", "operator.object.name\nhead-sample-child-a", "Events", "Resource", "service.name\ndemo-services-for-tracing", "Scope", "Kind\nCLIENT", "Status\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("details without %q:\n%s", want, text)
		}
	}
	p.click(".details .close")
	p.wantFocus("update_status ChildA")
	p.wantQuiet("file://")
}

// TestLinks tests that a link leads to its span in the trace, even if ancestors of the span are
// closed.
func TestLinks(t *testing.T) {
	link := func(trace string, span int) string {
		return fmt.Sprintf(`{"traceId":%q,"spanId":"%016x","attributes":[{"key":"why","value":{"stringValue":"retry"}}]}`, trace, span)
	}
	const other = "ffffffffffffffffffffffffffffffff"
	p := open(t, pageOf(t, parsed(t, traceJSON(
		spanJSON(1, 0, "root", 0, 10, ""), spanJSON(2, 1, "middle", 0, 10, ""), spanJSON(3, 2, "target", 0, 10, ""),
		spanJSON(4, 0, "source", 5, 6, `,"links":[`+link(testTrace, 3)+","+link(other, 1)+`]`)))))
	p.click(".tools button:nth-child(2)")
	p.click("tr.span:nth-child(4)")
	text := eval[string](p, `document.querySelector(".details").innerText`)
	if !strings.Contains(text, "why\nretry") || !strings.Contains(text, "span 0000000000000001 of trace "+other) {
		t.Errorf("details without the links:\n%s", text)
	}
	p.click(".details li button")
	p.wantFocus("target")
	if got := eval[string](p, `document.querySelector(".details h2").textContent`); got != "target" || p.visible() != 4 {
		t.Errorf("the link leads to %q, with %d spans shown", got, p.visible())
	}
	p.wantQuiet("file://")
}

func TestScreenReader(t *testing.T) {
	p := open(t, pageOf(t, recorded(t)))
	all := p.accessibles()
	if grids := withRole(all, "treegrid"); len(grids) != 1 || grids[0].Name != "Spans of the trace" {
		t.Fatalf("treegrids = %+v", grids)
	}
	var columns []string
	for _, c := range withRole(all, "columnheader") {
		columns = append(columns, c.Name)
	}
	if want := []string{"Span", "Kind", "Start", "Time"}; !slices.Equal(columns, want) { // One service needs no column.
		t.Errorf("columns = %q, want %q", columns, want)
	}
	rows := withRole(all, "row")
	if len(rows) != 1+12 {
		t.Fatalf("%d rows, want 13", len(rows))
	}
	for _, want := range []struct {
		row             int
		name            string
		level, expanded string
	}{
		{1, "admit Head head-sample SERVER +0", "1", "true"}, {2, "converge Head head-sample INTERNAL", "2", ""}, {6, "create Deployment head-sample-child-a PRODUCER", "5", ""},
	} {
		got := rows[want.row]
		if !strings.HasPrefix(got.Name, want.name) || got.Properties["level"] != want.level || got.Properties["expanded"] != want.expanded {
			t.Errorf("row %d = %+v, want %+v", want.row, got, want)
		}
	}
	if cells := withRole(all, "gridcell"); len(cells) != 12*4 {
		t.Errorf("%d cells, want 48", len(cells))
	}
	if headings := withRole(all, "heading"); len(headings) != 1 || !strings.HasPrefix(headings[0].Name, "Trace ") {
		t.Errorf("headings = %+v", headings)
	}
	for _, button := range withRole(all, "button") {
		if button.Name == "" {
			t.Error("a button without a name")
		}
	}

	p.click("tr.span:nth-child(1)")
	all = p.accessibles()
	if panels := withRole(all, "complementary"); len(panels) != 1 || panels[0].Name != "Details of the span" {
		t.Errorf("details = %+v", panels)
	}
	selected := slices.DeleteFunc(withRole(all, "row"), func(a accessible) bool { return a.Properties["selected"] != "true" })
	if len(selected) != 1 || !strings.HasPrefix(selected[0].Name, "admit Head") {
		t.Errorf("selected rows = %+v", selected)
	}
}

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// limit is the timeout of each wait on the browser.
const limit = 30 * time.Second

// tab is a page in the browser. It records all requests and messages of the page.
type tab struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	problems []string
}

// open opens an address in a new profile.
func open(t *testing.T, address string) *tab {
	t.Helper()
	p := blank(t)
	p.do(chromedp.Navigate(address))
	return p
}

// blank returns a tab without an address.
func blank(t *testing.T) *tab {
	t.Helper()
	p := &tab{T: t}
	ctx, cancel := chromedp.NewContext(chrome, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.note))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // A timeout of the first call would limit the life of the tab.
		t.Fatalf("opening a tab: %v", err)
	}
	p.ctx = ctx
	return p
}

// note handles every event.
func (p *tab) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *log.EventEntryAdded:
		p.problems = append(p.problems, fmt.Sprintf("log: %s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		p.problems = append(p.problems, fmt.Sprintf("console: %s", e.Type))
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+e.ExceptionDetails.Text)
	case *page.EventJavascriptDialogOpening:
		p.problems = append(p.problems, "dialog: "+e.Message)
	}
}

// wantQuiet fails the test if the page logged a message, or requested an address without an allowed
// prefix.
func (p *tab) wantQuiet(allowed ...string) {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		p.Errorf("the page has a problem: %s", problem)
	}
	if len(p.requests) == 0 {
		p.Error("no request was recorded, not even the page's own")
	}
	for _, request := range p.requests {
		known := strings.HasPrefix(request, "data:")
		for _, prefix := range allowed {
			known = known || strings.HasPrefix(request, prefix)
		}
		if !known {
			p.Errorf("unexpected request for %s", request)
		}
	}
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.Fatalf("using the page: %v", err)
	}
}

// eval returns the value of an expression of the page.
func eval[T any](p *tab, expression string) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.Fatalf("evaluating %s: %v", expression, err)
	}
	return value
}

// call sends a command to the tab.
func call[P, R any](p *tab, command cdp.Command[P, R], parameters P) R {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	result, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return cdp.Call(ctx, t, command, parameters)
	})
	if err != nil {
		p.Fatalf("calling %s: %v", command.Method, err)
	}
	return result
}

// press sends keys to the element with the focus.
func (p *tab) press(keys ...string) {
	p.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

func (p *tab) click(selector string) {
	p.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// waitFor waits until an expression of the page is true.
func (p *tab) waitFor(expression string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// A page during navigation has no value.
		if value, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && value {
			return
		}
		select {
		case <-ctx.Done():
			p.Fatalf("waiting for %s: timeout after %s; text of the page:\n%s", expression, limit, eval[string](p, "document.body.innerText"))
		case <-tick.C:
		}
	}
}

// scheme sets the preference for light or dark colours.
func (p *tab) scheme(name string) {
	p.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

// accessible is an element as a screen reader receives it.
type accessible struct {
	Role, Name string
	// Properties are properties such as level and expanded, as JSON.
	Properties map[string]string
}

// accessibles returns the elements that are not ignored, in order.
func (p *tab) accessibles() []accessible {
	p.Helper()
	var all []accessible
	for _, node := range call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if node.Ignored {
			continue
		}
		a := accessible{Role: axText(node.Role), Name: axText(node.Name), Properties: map[string]string{}}
		for _, property := range node.Properties {
			a.Properties[string(property.Name)] = axText(property.Value)
		}
		all = append(all, a)
	}
	return all
}

// axText returns a value as JSON without quotes.
func axText(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	var text string
	if json.Unmarshal(value.Value, &text) == nil {
		return text
	}
	return string(value.Value)
}

// withRole returns the elements with a role.
func withRole(all []accessible, role string) []accessible {
	var found []accessible
	for _, a := range all {
		if a.Role == role {
			found = append(found, a)
		}
	}
	return found
}

package view

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func drawn(t *testing.T, w *Waterfall) string {
	t.Helper()
	var out bytes.Buffer
	if err := w.WriteSVG(&out, SVGOptions{Title: `Head "web" & <co>` + "\x1b"}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// elements parses a picture strictly. It returns the texts and the number of elements by element
// name.
func elements(t *testing.T, svg string) (texts map[string][]string, count map[string]int) {
	t.Helper()
	texts, count = map[string][]string{}, map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var open []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts, count
		}
		if err != nil {
			t.Fatalf("parsing the picture as XML: %v\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			count[token.Name.Local]++
			for _, attr := range token.Attr {
				if name := strings.ToLower(attr.Name.Local); strings.HasPrefix(name, "on") || name == "href" || name == "src" {
					t.Errorf("<%s> has attribute %s, want no scripts and nothing to load", token.Name.Local, attr.Name.Local)
				}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && strings.TrimSpace(string(token)) != "" {
				name := open[len(open)-1]
				texts[name] = append(texts[name], string(token))
			}
		}
	}
}

func TestWriteSVG(t *testing.T) {
	svg := drawn(t, sampleTrace())
	texts, count := elements(t, svg)
	if want := `Head "web" & <co>\x1b`; texts["title"][0] != want || texts["text"][0] != want {
		t.Errorf("title = %q and heading = %q, want %q", texts["title"], texts["text"][0], want)
	}
	if count["script"]+count["foreignObject"]+count["image"]+count["use"]+count["a"] > 0 {
		t.Errorf("elements = %v, want only shapes and text", count)
	}
	all := strings.Join(texts["text"], "\n") + "\n"
	for _, want := range []string{"admit Head\n800µs\n", "reconcile \\x1b[31mÄ\n200ns\n", "✗ update_status Head\n700ms\n", "✗ lost\n", "7 spans, 2.00s, 2 failed\n", "\n0\n", "1s"} {
		if !strings.Contains(all, want) {
			t.Errorf("texts do not contain %q:\n%s", want, all)
		}
	}
	description := strings.Join(texts["desc"], "")
	if want := `update_status Head below admit Head: 700ms after 905ms, error: conflict\nretry.`; !strings.Contains(description, want) {
		t.Errorf("description does not contain %q:\n%s", want, description)
	}
	// A bar for each span, the card, and the kinds of the successful spans in the legend.
	if got := count["rect"]; got != 7+1+3 {
		t.Errorf("got %d rectangles, want 11", got)
	}
	if want := "server\nconsumer\nproducer\n"; !strings.HasSuffix(all, want) {
		t.Errorf("texts end with %q, want %q", all[len(all)-len(want):], want)
	}
	if !strings.Contains(svg, "prefers-color-scheme: dark") {
		t.Error("the style has no prefers-color-scheme: dark")
	}
	if svg != drawn(t, sampleTrace()) {
		t.Error("two calls with the same trace returned different pictures")
	}
}

// For any span name, the picture is valid XML and contains the name only as text.
func FuzzWriteSVG(f *testing.F) {
	for _, name := range []string{"", "</text><script>alert(1)</script>", "]]>", "\x00\x1b\ufffe\xff", "$(rm -rf /)`'\"&<>", "\u202e"} {
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, name, kind string) {
		s := span("1", "", name, kind, 0, 1)
		s.Status = spantree.Status{Code: spantree.StatusError, Message: name}
		_, count := elements(t, drawn(t, New(spantree.Build([]spantree.Span{s}))))
		if count["text"] != 5 || count["script"] != 0 {
			t.Errorf("elements = %v, want 5 texts and no script", count)
		}
	})
}

package view

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var (
	policyOf  = regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`)
	scriptsOf = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	stylesOf  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	dataOf    = regexp.MustCompile(`(?s)<script type="application/json" id="trace">(.*?)</script>`)
)

// wantPolicy fails unless the policy of the page allows only its own script and style, by their
// hashes.
func wantPolicy(t *testing.T, page, more string) {
	t.Helper()
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(s[:]) + "'"
	}
	scripts, styles := scriptsOf.FindAllStringSubmatch(page, -1), stylesOf.FindAllStringSubmatch(page, -1)
	if len(scripts) != 1 || len(styles) != 1 {
		t.Fatalf("the page has %d scripts and %d styles, want one each", len(scripts), len(styles))
	}
	want := "default-src 'none'; script-src " + sum(scripts[0][1]) + "; style-src " + sum(styles[0][1]) + "; img-src data:; " + more
	if got := html.UnescapeString(policyOf.FindStringSubmatch(page)[1]); got != want {
		t.Errorf("policy = %s\nwant %s", got, want)
	}
	if address := regexp.MustCompile(`https?://|<link[^>]*href="[^d]|@import|url\(`).FindString(page); address != "" {
		t.Errorf("the page loads %q, want a self-contained page", address)
	}
}

func TestWriteHTML(t *testing.T) {
	const evil = `</script><script>alert(1)</script><!-- & "'` + "\u2028\x1b"
	s := span("1", "", evil, "SERVER", 0, ms)
	w := New(spantree.Build([]spantree.Span{s}), "a", `"><b>`)
	otlp, err := json.Marshal(map[string]any{"resourceSpans": []any{}, evil: evil})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := w.WriteHTML(&out, evil, otlp); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	wantPolicy(t, page, "base-uri 'none'; form-action 'none'")
	if strings.Contains(page, "alert(1)</script>") || strings.Contains(page, "\x1b") {
		t.Error("the page contains an unescaped text")
	}
	var got, want any
	if err := json.Unmarshal([]byte(dataOf.FindStringSubmatch(page)[1]), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(otlp, &want); err != nil {
		t.Fatal(err)
	}
	want = map[string]any{"otlp": want}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data of the page (-want +got):\n%s", diff)
	}
	if !strings.Contains(page, `data-labels="a &#34;&gt;&lt;b&gt;"`) {
		t.Error("the page has no data-labels with the labels")
	}
	if err := w.WriteHTML(&out, "", []byte("{")); err == nil || !strings.Contains(err.Error(), "writing the page of trace 1: ") {
		t.Errorf("WriteHTML(invalid OTLP) = %v, want an error about the page of trace 1", err)
	}
}

func TestWriteJaegerPage(t *testing.T) {
	var one, two bytes.Buffer
	for _, out := range []*bytes.Buffer{&one, &two} {
		if err := WriteJaegerPage(out, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != two.String() {
		t.Error("two calls wrote different pages")
	}
	wantPolicy(t, one.String(), "connect-src 'self'; base-uri 'self'; form-action 'self'")
	// Jaeger replaces exactly this text with its base path.
	if strings.Count(one.String(), `<base href="/"`) != 1 {
		t.Error(`the page does not contain <base href="/" exactly once`)
	}
	// A ConfigMap holds at most one mebibyte.
	if one.Len() > 100<<10 {
		t.Errorf("the page has %d bytes, want at most %d", one.Len(), 100<<10)
	}
}

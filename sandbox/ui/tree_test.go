package ui

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func treeSpan(id, parent, name, kind string, start, duration time.Duration) spantree.Span {
	begin := time.Unix(1000, 0).Add(start)
	return spantree.Span{TraceID: "1", SpanID: id, ParentSpanID: parent, Name: name, Kind: kind, Start: begin, End: begin.Add(duration)}
}

func TestWriteTree(t *testing.T) {
	const ms = time.Millisecond
	failed := treeSpan("6", "1", "update_status Head", "CLIENT", 900*ms, 70*time.Second)
	failed.Status = spantree.Status{Code: spantree.StatusError, Message: "conflict\nretry"}
	failed.Attributes = map[string]any{"error.type": "Conflict", "other": "hidden"}
	forest := spantree.Build([]spantree.Span{
		treeSpan("1", "", "admit Head", "SERVER", 0, 800*time.Microsecond),
		treeSpan("2", "1", "reconcile Head", "CONSUMER", 12*ms+340*time.Microsecond, 45*ms),
		treeSpan("3", "2", "create ChildA", "PRODUCER", 20*ms, 123*ms),
		treeSpan("4", "3", "reconcile \x1b[31mÄ", "CONSUMER", -5*ms, 200*time.Nanosecond),
		failed,
		treeSpan("7", "unknown", "lost", "", 1500*ms, 2*time.Second),
	})
	want := `admit Head                    SERVER     +5.0ms   800µs
├─ reconcile Head             CONSUMER  +17.3ms  45.0ms
│  └─ create ChildA           PRODUCER  +25.0ms   123ms
│     └─ reconcile \x1b[31mÄ  CONSUMER     +0ns   200ns
└─ update_status Head         CLIENT     +905ms   1m10s  error.type=Conflict error conflict\nretry
lost                                     +1.50s   2.00s  (parent unknown is missing)
`
	var plain bytes.Buffer
	if err := WriteTree(&plain, forest, TreeOptions{Attributes: []string{"error.type"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, plain.String()); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}

	var colored bytes.Buffer
	if err := WriteTree(&colored, forest, TreeOptions{Color: true, Attributes: []string{"error.type"}}); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(colored.String(), "\n"), "\n") {
		isRed := strings.HasPrefix(line, red) && strings.HasSuffix(line, reset)
		if wantRed := i >= 4; isRed != wantRed {
			t.Errorf("line %q: red is %t, want %t", line, isRed, wantRed)
		}
	}
	if strings.ReplaceAll(strings.ReplaceAll(colored.String(), red, ""), reset, "") != plain.String() {
		t.Error("colors change the text")
	}
}

func TestWriteTreeEdges(t *testing.T) {
	var out bytes.Buffer
	if err := WriteTree(&out, nil, TreeOptions{}); err != nil || out.Len() != 0 {
		t.Errorf("no trace prints %q, %v", out.String(), err)
	}
	broken := errors.New("pipe")
	one := spantree.Build([]spantree.Span{treeSpan("1", "", "a", "", 0, 0)})
	if err := WriteTree(failingWriter{broken}, one, TreeOptions{}); !errors.Is(err, broken) {
		t.Errorf("error is %v, want that of the writer", err)
	}
	var chain []spantree.Span
	for i := range 20_000 {
		chain = append(chain, treeSpan(fmt.Sprint(i+1), fmt.Sprint(i), "step", "", 0, 0))
	}
	out.Reset()
	if err := WriteTree(&out, spantree.Build(chain), TreeOptions{}); err != nil || strings.Count(out.String(), "\n") != 20_000 {
		t.Errorf("a long chain prints %d lines, %v", strings.Count(out.String(), "\n"), err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestEscape(t *testing.T) {
	tests := map[string]string{
		"plain":      "plain",
		"a\tb\r\n":   `a\tb\r\n`,
		"\x1b]0;t":   `\x1b]0;t`,
		"bad\xff":    `bad\xff`,
		"real\ufffd": "real\ufffd",
		"rtl\u202e":  `rtl\u202e`,
		"ünï":        "ünï",
	}
	for in, want := range tests {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestColored(t *testing.T) {
	if Colored(&bytes.Buffer{}) {
		t.Error("a buffer is taken for a terminal")
	}
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, file) })
	if Colored(file) {
		t.Error("a file is taken for a terminal")
	}
	if terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		t.Cleanup(func() { closed(t, terminal) })
		t.Setenv("TERM", "xterm")
		t.Setenv("NO_COLOR", "")
		if !Colored(terminal) {
			t.Error("a terminal has no colors")
		}
		t.Setenv("NO_COLOR", "1")
		if Colored(terminal) {
			t.Error("NO_COLOR is ignored")
		}
	}
}

func closed(t *testing.T, file *os.File) {
	t.Helper()
	if err := file.Close(); err != nil {
		t.Errorf("closing %s: %v", file.Name(), err)
	}
}

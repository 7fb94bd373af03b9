package ui

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onFile calls use with a Progress that writes to a file, and returns the content of the file.
func onFile(t *testing.T, use func(*Progress)) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	progress := NewProgress(out)
	use(progress)
	progress.Close()
	data, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := onFile(t, func(p *Progress) {
			engine := p.Step("container engine")
			image := p.Step("node image")
			time.Sleep(1500 * time.Millisecond)
			engine.Detail("asking")
			engine.Detail("%s, linux/%s", "podman", "amd64")
			engine.End(nil)
			p.Printf("message %d", 1)
			time.Sleep(time.Second)
			image.Detail("3 packages compiled")
			image.End(errors.New("no space"))
		})
		want := ` ✓ container engine                      1.5 s   podman, linux/amd64
message 1
 ✗ node image                            2.5 s   3 packages compiled
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Names and details can be from a cluster.
func TestProgressEscapes(t *testing.T) {
	got := onFile(t, func(p *Progress) {
		step := p.Step("a\x1b[2J")
		step.Detail("%s", "b\n\u202e")
		p.Printf("%s", "c\a\nd")
		step.End(nil)
	})
	if want := `c\a` + "\n" + `d` + "\n" + ` ✓ a\x1b[2J                              0.0 s   b\n\u202e` + "\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// A log shows that a long step is still running, without too many lines.
func TestAliveLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := onFile(t, func(p *Progress) {
			long := p.Step("node image")
			long.Detail("kubernetes, 4 to build")
			time.Sleep(aliveInterval - time.Second)
			short := p.Step("Jaeger image")
			time.Sleep(2 * time.Second)
			short.End(nil)
			time.Sleep(aliveInterval)
			long.End(nil)
		})
		want := ` … node image 30s (kubernetes, 4 to build)
 ✓ Jaeger image                          2.0 s
 … node image 60s (kubernetes, 4 to build)
 ✓ node image                           61.0 s   kubernetes, 4 to build
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// erased is the sequence that erases a live line.
const erased = "\r\x1b[K"

// screen returns the lines that a terminal shows at the end.
func screen(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if i := strings.LastIndex(line, erased); i >= 0 {
			line = line[i+len(erased):]
		}
		lines = append(lines, line)
	}
	return lines
}

func TestLiveLineFitsTheTerminalAndIsErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const width = 40
		var out bytes.Buffer
		p := &Progress{out: &out, live: true, width: width, stop: make(chan struct{})}
		p.stopped.Go(p.refresh)
		one, two := p.Step("é one"), p.Step("a step whose name is longer than the terminal is wide")
		one.Detail("detail")
		time.Sleep(10 * drawInterval)
		one.End(nil)
		two.Detail("%s", strings.Repeat("x", 100))
		time.Sleep(10 * drawInterval)
		two.Detail("")
		two.End(nil)
		p.Close()

		want := []string{
			" ✓ é one                                 1.0 s   detail\n",
			" ✓ a step whose name is longer than the terminal is wide    2.0 s\n",
		}
		if diff := cmp.Diff(want, screen(out.String())); diff != "" {
			t.Errorf("remaining lines (-want +got):\n%s", diff)
		}
		for part := range strings.SplitSeq(out.String(), erased) {
			if live, _, ended := strings.Cut(part, "\n"); !ended && len([]rune(live)) >= width {
				t.Errorf("live line of %d characters, want less than %d: %q", len([]rune(live)), width, live)
			}
		}
		if !strings.Contains(out.String(), "é one 0s (detail) · a step") {
			t.Errorf("got %q, want a live line with both steps", out.String())
		}
	})
}

func TestNilProgressShowsNothing(t *testing.T) {
	var p *Progress
	p.Printf("message")
	step := p.Step("name")
	step.Detail("detail")
	step.End(nil)
	p.Close()
}

func TestProgressFromManyGoroutines(t *testing.T) {
	const steps = 50
	got := onFile(t, func(p *Progress) {
		var all sync.WaitGroup
		for i := range steps {
			all.Go(func() {
				step := p.Step(fmt.Sprintf("step %d", i))
				for j := range 10 {
					step.Detail("%d", j)
				}
				p.Printf("line %d", i)
				step.End(nil)
			})
		}
		all.Wait()
	})
	if lines := strings.Count(got, "\n"); lines != 2*steps {
		t.Errorf("got %d lines, want %d", lines, 2*steps)
	}
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "line ") && !strings.HasPrefix(line, " ✓ step ") {
			t.Errorf("interleaved line: %q", line)
		}
	}
}

package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// Progress shows long steps, several at a time. On a terminal, one live line shows the running
// steps. For each step that ended, a line shows a check mark, the name and the seconds. On other
// outputs, Progress writes plain lines and repeats the running steps every 30 seconds. It is safe
// for concurrent use. It escapes all texts; see [Printer]. A nil Progress shows nothing.
type Progress struct {
	mu      sync.Mutex
	out     io.Writer
	live    bool // out is Drawable
	width   int
	running []*Step
	drawn   bool
	stop    chan struct{}
	closed  sync.Once
	stopped sync.WaitGroup
}

const (
	drawInterval  = 100 * time.Millisecond
	aliveInterval = 30 * time.Second
)

// NewProgress returns a Progress that writes to out, live if out is a terminal. The caller must
// call [Progress.Close].
func NewProgress(out *os.File) *Progress {
	p := &Progress{out: out, stop: make(chan struct{})}
	if p.live = Drawable(out); p.live {
		p.width, _ = Size(out)
	}
	p.stopped.Go(p.refresh)
	return p
}

// Close stops drawing and erases the live line. Printed lines remain. It can be called several times.
func (p *Progress) Close() {
	if p == nil {
		return
	}
	p.closed.Do(func() { close(p.stop) })
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Printf prints a separate line between the lines of the steps.
func (p *Progress) Printf(message string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	fmt.Fprintln(p.out, format.EscapeText(fmt.Sprintf(message, args...)))
	p.draw()
}

// Step adds a running step.
func (p *Progress) Step(name string) *Step {
	s := &Step{progress: p, name: format.Escape(name), start: time.Now()}
	s.reported = s.start
	if p == nil {
		return s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, s)
	return s
}

func (p *Progress) refresh() {
	ticks := time.NewTicker(drawInterval)
	defer ticks.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticks.C:
			p.mu.Lock()
			if p.live {
				p.erase()
				p.draw()
			} else {
				p.printAlive()
			}
			p.mu.Unlock()
		}
	}
}

// erase removes the live line. The caller must hold the lock.
func (p *Progress) erase() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// draw writes the live line, truncated to the width of the terminal so that it never wraps. The
// caller must hold the lock.
func (p *Progress) draw() {
	if !p.live || len(p.running) == 0 {
		return
	}
	var parts []string
	for _, s := range p.running {
		parts = append(parts, s.line())
	}
	line := []rune("   " + strings.Join(parts, " · "))
	if p.width > 4 && len(line) >= p.width {
		line = append(line[:p.width-2], '…')
	}
	fmt.Fprint(p.out, string(line))
	p.drawn = true
}

// printAlive prints a plain line for every step without a line in the last aliveInterval. The
// caller must hold the lock.
func (p *Progress) printAlive() {
	for _, s := range p.running {
		if time.Since(s.reported) >= aliveInterval {
			s.reported = time.Now()
			fmt.Fprintf(p.out, " … %s\n", s.line())
		}
	}
}

// Step is a step of a Progress. It is safe for concurrent use. A Step of a nil Progress shows
// nothing.
type Step struct {
	progress *Progress
	name     string
	start    time.Time
	reported time.Time
	detail   string
}

// Detail sets the text after the name of the step: its current activity, or its result when it
// ends.
func (s *Step) Detail(message string, args ...any) {
	if s.progress == nil {
		return
	}
	s.progress.mu.Lock()
	defer s.progress.mu.Unlock()
	s.detail = format.Escape(fmt.Sprintf(message, args...))
}

// End prints the last line of the step, with a check mark, or a cross if err is not nil. It does
// not print err.
func (s *Step) End(err error) {
	p := s.progress
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, running := range p.running {
		if running == s {
			p.running = append(p.running[:i], p.running[i+1:]...)
			break
		}
	}
	mark := "✓"
	if err != nil {
		mark = "✗"
	}
	p.erase()
	line := fmt.Sprintf(" %s %-34s %6.1f s", mark, s.name, time.Since(s.start).Seconds())
	if s.detail != "" {
		line += "   " + s.detail
	}
	fmt.Fprintln(p.out, line)
	p.draw()
}

// line describes a running step. The caller must hold the lock of the Progress.
func (s *Step) line() string {
	line := fmt.Sprintf("%s %.0fs", s.name, time.Since(s.start).Seconds())
	if s.detail != "" {
		line += " (" + s.detail + ")"
	}
	return line
}

package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Progress shows steps that take long, several at a time: on a terminal one live line for those that run, and one
// line with a tick, the name and the seconds for each that ended; elsewhere plain lines, with a sign of life every
// half minute. Its methods may be called from any goroutine. The nil Progress shows nothing.
type Progress struct {
	mu      sync.Mutex
	out     io.Writer
	live    bool // out is a terminal that can be drawn on
	width   int
	running []*Step
	drawn   bool
	stop    chan struct{}
	stopped sync.WaitGroup
}

const (
	drawEvery = 100 * time.Millisecond
	signEvery = 30 * time.Second
)

// NewProgress shows progress on out, live if out is a terminal. Call [Progress.Close] at the end.
func NewProgress(out *os.File) *Progress {
	p := &Progress{out: out, stop: make(chan struct{})}
	if p.live = Drawable(out); p.live {
		p.width, _ = Size(out)
	}
	p.stopped.Go(p.refresh)
	return p
}

// Close ends the drawing. Lines that were printed stay.
func (p *Progress) Close() {
	if p == nil {
		return
	}
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Printf prints a line of its own between the steps' lines.
func (p *Progress) Printf(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	fmt.Fprintf(p.out, format+"\n", args...)
	p.draw()
}

// Step starts to show a step called name.
func (p *Progress) Step(name string) *Step {
	s := &Step{progress: p, name: name, start: time.Now()}
	s.signed = s.start
	if p == nil {
		return s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, s)
	return s
}

func (p *Progress) refresh() {
	ticks := time.NewTicker(drawEvery)
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
				p.signOfLife()
			}
			p.mu.Unlock()
		}
	}
}

// erase removes the live line. The lock is held.
func (p *Progress) erase() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// draw writes the live line, cut to the terminal's width so that it never wraps. The lock is held.
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

// signOfLife prints a plain line for every step that has been silent for long. The lock is held.
func (p *Progress) signOfLife() {
	for _, s := range p.running {
		if time.Since(s.signed) >= signEvery {
			s.signed = time.Now()
			fmt.Fprintf(p.out, " … %s\n", s.line())
		}
	}
}

// Step is one step that is being shown. Its methods may be called from any goroutine; a Step of a nil Progress
// shows nothing.
type Step struct {
	progress *Progress
	name     string
	start    time.Time
	signed   time.Time
	detail   string
}

// Detail says what the step is at, or, when it ends, what came of it.
func (s *Step) Detail(format string, args ...any) {
	if s.progress == nil {
		return
	}
	s.progress.mu.Lock()
	defer s.progress.mu.Unlock()
	s.detail = fmt.Sprintf(format, args...)
}

// End prints the step's last line: a tick, or a cross if err is not nil. The error itself is the caller's to print.
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

// line describes a running step. The progress's lock is held.
func (s *Step) line() string {
	line := fmt.Sprintf("%s %.0fs", s.name, time.Since(s.start).Seconds())
	if s.detail != "" {
		line += " (" + s.detail + ")"
	}
	return line
}

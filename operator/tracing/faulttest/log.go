package faulttest

import (
	"context"
	"slices"
	"sync"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// maxLogLines is the number of lines of the operator's log that a failure prints.
const maxLogLines = 30

// logLines keeps the last lines of a log. It is safe for concurrent use.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

// into returns a context with a logger that writes to l.
func (l *logLines) into(ctx context.Context) context.Context {
	return log.IntoContext(ctx, funcr.New(func(prefix, args string) {
		if prefix != "" {
			args = prefix + ": " + args
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, args)
		l.lines = l.lines[max(0, len(l.lines)-maxLogLines):]
	}, funcr.Options{LogTimestamp: true, TimestampFormat: "15:04:05.000"}))
}

func (l *logLines) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

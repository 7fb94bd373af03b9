package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// lines are the lines of a logger.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) logger() logr.Logger {
	return funcr.New(func(_, args string) { l.add(args) }, funcr.Options{})
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

// of returns the lines of malformed variables. Exporters of earlier tests may log errors at any
// time.
func (l *lines) of() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, line := range l.all {
		if strings.Contains(line, "OTEL_") {
			out = append(out, line)
		}
	}
	return out
}

// contain reports whether any line contains a text.
func (l *lines) contain(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.all, func(line string) bool { return strings.Contains(line, text) })
}

// sdkLines collects the SDK's own reports, from the global error handler and the global logger.
func sdkLines(t *testing.T) *lines {
	t.Helper()
	l := &lines{}
	otel.SetLogger(funcr.New(func(_, args string) {
		if !strings.Contains(args, "created") { // "TracerProvider created" contains the configuration.
			l.add(args)
		}
	}, funcr.Options{Verbosity: 4}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { l.add(err.Error()) }))
	t.Cleanup(func() {
		otel.SetLogger(logr.Discard())
		otel.SetErrorHandler(newErrorHandler(logr.Discard()))
	})
	return l
}

// TestMalformedVariablesAreSeen: without a logger that is enabled, the lines reach OpenTelemetry's
// error handler.
func TestMalformedVariablesAreSeen(t *testing.T) {
	for name, tc := range map[string]struct {
		ctx  func(*lines) context.Context
		opts func(*lines) []Option
		own  int // lines of the logger; the others are the handler's
	}{
		"nothing":              {},
		"nil context":          {ctx: func(*lines) context.Context { return nil }},
		"discarding context":   {ctx: func(*lines) context.Context { return logr.NewContext(t.Context(), logr.Discard()) }},
		"logger of context":    {ctx: func(l *lines) context.Context { return logr.NewContext(t.Context(), l.logger()) }, own: 2},
		"WithLogger":           {opts: func(l *lines) []Option { return []Option{WithLogger(l.logger())} }, own: 2},
		"WithLogger, errors":   {opts: func(l *lines) []Option { return []Option{WithLogger(onlyErrors(l))} }, own: 2},
		"context, errors only": {ctx: func(l *lines) context.Context { return logr.NewContext(t.Context(), onlyErrors(l)) }},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t, map[string]string{attributesKey: "team=a,", samplerKey: "sometimes", exporterKey: "none"})
			handled, own := sdkLines(t), &lines{}
			ctx, opts := t.Context(), []Option(nil)
			if tc.ctx != nil {
				ctx = tc.ctx(own)
			}
			if tc.opts != nil {
				opts = tc.opts(own)
			}
			if _, err := New(ctx, opts...); err != nil {
				t.Fatal(err)
			}
			if len(own.of()) != tc.own || len(handled.of()) != 2-tc.own {
				t.Errorf("the logger got %q and the handler %q, want %d and %d lines", own.of(), handled.of(), tc.own, 2-tc.own)
			}
		})
	}
}

func onlyErrors(l *lines) logr.Logger {
	return logr.New(&errorsOnly{l.logger().GetSink()})
}

type errorsOnly struct{ logr.LogSink }

func (*errorsOnly) Enabled(int) bool                 { return false }
func (e *errorsOnly) WithValues(...any) logr.LogSink { return e }

// TestControllerRuntimeLogger: a logger that the operator set is used without an option.
func TestControllerRuntimeLogger(t *testing.T) {
	own := &lines{}
	sink := own.logger().GetSink()
	previous := ctrllog.Log
	ctrllog.Log = logr.New(sink)
	t.Cleanup(func() { ctrllog.Log = previous })
	clearEnvironment(t, map[string]string{samplerKey: "sometimes", exporterKey: "none"})
	handled := sdkLines(t)
	if _, err := New(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(own.of()) != 1 || len(handled.of()) != 0 {
		t.Errorf("the logger got %q and the handler %q, want one line of the logger", own.of(), handled.of())
	}
}

// TestHandlerDoesNotDropMalformed: two Providers in one process, only one of which has a logger.
func TestHandlerDoesNotDropMalformed(t *testing.T) {
	t.Parallel()
	own := &lines{}
	h := newErrorHandler(own.logger())
	for i := range 3 {
		h.Handle(fmt.Errorf("%w; using the default", &malformed{variable: fmt.Sprintf("OTEL_%d", i)}))
	}
	if got := own.of(); len(got) != 3 {
		t.Errorf("logged %q, want three lines", got)
	}
}

package show

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// storeTimeout limits the wait until a sent trace is readable.
const storeTimeout = 30 * time.Second

// loader sends traces and reads them back.
type loader struct {
	endpoint string
	sender   *jaeger.Sender
	reader   *jaeger.Client // Nil if traces are not read back.
	ui       string         // Jaeger's web address, or "" if unknown.
}

func newLoader(ctx context.Context, shared *command.Shared, o importOptions) (*loader, error) {
	l := &loader{endpoint: o.endpoint}
	query := o.query
	if o.endpoint == "" {
		run, err := shared.Attach()
		if err != nil {
			return nil, err
		}
		if err := run.Reach(ctx); err != nil {
			return nil, err
		}
		addresses := run.Addresses()
		if addresses[component.OTLPGRPC] == "" {
			return nil, command.Usage(errors.New("the sandbox sends traces to your own Jaeger; pass its address with --endpoint"))
		}
		l.endpoint, l.ui, query = addresses[component.OTLPGRPC], addresses[component.UI], addresses[component.Query]
	} else if strings.HasPrefix(query, "http://") || strings.HasPrefix(query, "https://") {
		l.ui = strings.TrimSuffix(query, "/")
	}
	var opts []jaeger.Option
	for _, header := range o.headers {
		name, value, _ := strings.Cut(header, "=")
		opts = append(opts, jaeger.WithHeader(name, value))
	}
	var err error
	if l.sender, err = jaeger.DialOTLP(l.endpoint, opts...); err != nil {
		return nil, command.Usage(err)
	}
	if query == "" {
		return l, nil
	}
	if l.reader, err = jaeger.Dial(query, opts...); err != nil {
		l.close()
		return nil, command.Usage(err)
	}
	return l, nil
}

func (l *loader) close() {
	_ = l.sender.Close()
	if l.reader != nil {
		_ = l.reader.Close()
	}
}

// load imports the traces in order. It stops at the first error.
func (l *loader) load(ctx context.Context, report *importReport) error {
	report.Endpoint = l.endpoint
	for i := range report.Traces {
		t := &report.Traces[i]
		if l.ui != "" {
			t.URL = l.ui + "/trace/" + t.ID
		}
		var err error
		if t.State, err = l.loadOne(ctx, t.trace); err != nil {
			t.Error = err.Error()
			return fmt.Errorf("importing trace %d of %d: %w", i+1, len(report.Traces), err)
		}
	}
	return nil
}

func (l *loader) loadOne(ctx context.Context, trace tracetree.Trace) (string, error) {
	if err := l.sender.Send(ctx, trace); err != nil {
		return stateFailed, err
	}
	if l.reader == nil {
		return stateSent, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := jaeger.WaitStored(ctx, l.reader, trace, 0); err != nil {
		return stateFailed, err
	}
	return stateLoaded, nil
}

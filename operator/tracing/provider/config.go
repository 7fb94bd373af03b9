package provider

import (
	"reflect"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	defaultShutdownTimeout = 5 * time.Second
	errorLogInterval       = time.Minute
)

// Option configures [New]. The environment has precedence over options. New ignores an Option that
// is nil or a nil pointer.
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	serviceName     string
	logger          *logr.Logger
	strict          bool
	shutdownTimeout time.Duration
	processors      []sdktrace.SpanProcessor
	sampler         sdktrace.Sampler // nil: the default
	registerer      prometheus.Registerer
}

// WithServiceName sets the name of the service unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES
// does. The default, also for "", is the SDK's: "unknown_service:" and the name of the program.
func WithServiceName(name string) Option {
	return optionFunc(func(c *config) { c.serviceName = name })
}

// WithLogger logs malformed variables to l, one line each, and later the errors of the SDK, such as
// failed exports, at most one line per minute. That line has the number of errors since the last
// one. WithLogger replaces OpenTelemetry's error handler of the process.
//
// By default, that handler stays, and malformed variables are logged to the logger of New's
// context, else to controller-runtime's, else, if neither is enabled, to the handler, which writes
// to stderr. The zero Logger discards all lines, as logr.Discard does.
func WithLogger(l logr.Logger) Option {
	return optionFunc(func(c *config) { c.logger = &l })
}

// WithStrict makes [New] fail if a variable is malformed, an exporter can't be created, or the
// counter of [WithRegisterer] can't be registered. The error joins all problems, and nothing is
// logged. By default, New logs them and continues.
func WithStrict() Option {
	return optionFunc(func(c *config) { c.strict = true })
}

// WithShutdownTimeout limits the duration of [Provider.Shutdown]. The default, also for d <= 0, is
// five seconds.
func WithShutdownTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d > 0 {
			c.shutdownTimeout = d
		}
	})
}

// WithSpanProcessor adds a processor to the exporters that the environment names. Nil and a nil
// pointer are ignored. Repeated options accumulate.
func WithSpanProcessor(p sdktrace.SpanProcessor) Option {
	return optionFunc(func(c *config) {
		if !isNil(p) {
			c.processors = append(c.processors, p)
		}
	})
}

// WithRegisterer counts exported and lost spans in [ExportedMetric], so that an alert can report
// lost spans. Pass controller-runtime's metrics.Registry. Providers with the same registerer share
// the counter, and each exporter adds to it. It does not include spans that the batch processor
// drops because its queue is full. By default, also for nil and a nil pointer, nothing is counted.
func WithRegisterer(r prometheus.Registerer) Option {
	return optionFunc(func(c *config) {
		if isNil(r) {
			r = nil
		}
		c.registerer = r
	})
}

// WithSampler sets the sampler unless OTEL_TRACES_SAMPLER names one. The default, also for nil and
// a nil pointer, is the SDK's: parent-based and always on. New wraps the sampler with
// [IgnoreUntrusted].
func WithSampler(s sdktrace.Sampler) Option {
	return optionFunc(func(c *config) {
		if !isNil(s) {
			c.sampler = s
		}
	})
}

func newConfig(opts []Option) *config {
	c := &config{shutdownTimeout: defaultShutdownTimeout}
	for _, o := range opts {
		if !isNil(o) {
			o.apply(c)
		}
	}
	return c
}

// isNil reports whether v is nil, or an interface with a nil pointer or function.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return (r.Kind() == reflect.Pointer || r.Kind() == reflect.Func) && r.IsNil()
}

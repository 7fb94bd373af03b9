package provider

import (
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	defaultShutdownTimeout = 5 * time.Second
	errorLogInterval       = time.Minute
)

// Option changes what [New] makes where the environment says nothing.
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	serviceName     string
	logger          *logr.Logger
	shutdownTimeout time.Duration
	processors      []sdktrace.SpanProcessor
	sampler         sdktrace.Sampler
	registerer      prometheus.Registerer
}

// WithServiceName sets the service's name where neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES
// does. The default, also for "", is the SDK's: "unknown_service:" and the program's name.
func WithServiceName(name string) Option {
	return optionFunc(func(c *config) { c.serviceName = name })
}

// WithLogger sends the SDK's errors, those of exports above all, to l: at most one line per minute,
// which says how many were left out since the last. It replaces the process's OpenTelemetry error
// handler. Without it that handler stays as it is.
func WithLogger(l logr.Logger) Option {
	return optionFunc(func(c *config) { c.logger = &l })
}

// WithShutdownTimeout limits how long Shutdown may take. The default, also for zero and less, is five seconds.
func WithShutdownTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d > 0 {
			c.shutdownTimeout = d
		}
	})
}

// WithSpanProcessor adds a processor beside the exporter that the environment chose; nil is ignored.
func WithSpanProcessor(p sdktrace.SpanProcessor) Option {
	return optionFunc(func(c *config) {
		if p != nil {
			c.processors = append(c.processors, p)
		}
	})
}

// WithRegisterer counts, in [ExportedMetric], the spans that were sent and those that were lost because the export failed: an
// alert on the latter says what the log says once a minute. Hand it controller-runtime's metrics.Registry. Providers with the
// same registerer share the counter. Spans that the batch processor drops, since more end than it can send, are in neither
// number. The default, also for nil, counts nothing.
func WithRegisterer(r prometheus.Registerer) Option {
	return optionFunc(func(c *config) { c.registerer = r })
}

// WithSampler sets the sampler where OTEL_TRACES_SAMPLER is unset. The default, also for nil, is the SDK's:
// parent-based and always on. [IgnoreUntrusted] goes around it.
func WithSampler(s sdktrace.Sampler) Option {
	return optionFunc(func(c *config) {
		if s != nil {
			c.sampler = s
		}
	})
}

func newConfig(opts []Option) *config {
	c := &config{shutdownTimeout: defaultShutdownTimeout, sampler: defaultSampler()}
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	return c
}

package tracing

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	defaultPrefix       = "tracing.k8s.io/"
	defaultMaxAge       = time.Hour
	defaultConvergedAge = 10 * time.Minute
)

// UntrustedContext says how a webhook treats a trace context from a user that is not a trusted
// writer.
type UntrustedContext int

const (
	// UntrustedLink links the admission's span to the untrusted context. It is the default.
	UntrustedLink UntrustedContext = iota
	// UntrustedParent makes the admission's span a child of the untrusted context.
	UntrustedParent
	// UntrustedIgnore drops the untrusted context.
	UntrustedIgnore
)

// String returns the word that [ParseUntrustedContext] reads.
func (f UntrustedContext) String() string {
	switch f {
	case UntrustedParent:
		return "parent"
	case UntrustedIgnore:
		return "ignore"
	default:
		return "link"
	}
}

// ParseUntrustedContext parses the value of a flag: "link", "parent" or "ignore". It returns an
// error for any other word.
func ParseUntrustedContext(s string) (UntrustedContext, error) {
	for _, f := range []UntrustedContext{UntrustedLink, UntrustedParent, UntrustedIgnore} {
		if s == f.String() {
			return f, nil
		}
	}
	return UntrustedLink, fmt.Errorf("invalid untrusted context %q: want link, parent or ignore", s)
}

// Option configures the wrappers of this package. Every wrapper accepts all options and ignores
// options that do not apply to it, so an operator can pass the same options everywhere.
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// WithTracerProvider sets the provider that spans are started with. The default, also for nil and
// for a nil pointer, is OpenTelemetry's global provider at the time of each operation. A no-op
// provider switches tracing off.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return providerOption{tp}
}

// providerOption has a type of its own, so that switchedOff can find it without creating a config.
type providerOption struct{ tp trace.TracerProvider }

func (o providerOption) apply(c *config) {
	if !isNil(o.tp) && !isGlobal(o.tp) {
		c.provider = o.tp
	}
}

// WithPropagators sets how span contexts are encoded as text. A nil value or nil pointer is
// ignored. The default is W3C Trace Context (traceparent and tracestate), not the OpenTelemetry
// global. Every field of the propagator becomes an annotation under the prefix. traceparent and
// tracestate are read by W3C Trace Context level 2, even if OpenTelemetry's propagator differs:
// reserved flags are ignored, and text after a version 00 traceparent is invalid. (A tracestate
// with keys that start with a digit is dropped, because OpenTelemetry's API cannot hold it.)
func WithPropagators(p propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) {
		if !isNil(p) {
			c.propagators = p
		}
	})
}

// WithAnnotationPrefix sets the prefix of the annotation keys, including the slash. The default,
// also for an empty prefix, is "tracing.k8s.io/". All operators of a cluster must use the same
// prefix.
func WithAnnotationPrefix(prefix string) Option {
	return optionFunc(func(c *config) {
		if prefix != "" {
			c.prefix = prefix
		}
	})
}

// WithScheme sets the scheme in which [WrapReconciler] looks up the kind of its object. nil is
// ignored. The default is client-go's scheme. If the scheme does not know a type, its kind is the
// Go type's name. Wrapped clients use the scheme of the client that they wrap instead.
func WithScheme(s *runtime.Scheme) Option {
	return optionFunc(func(c *config) {
		if s != nil {
			c.scheme = s
		}
	})
}

// WithTrustedWriters names users whose trace contexts the webhook keeps, for example
// "system:serviceaccount:NAMESPACE:NAME" for another operator. The operator's own user is always
// trusted. Repeated options accumulate, and empty names are ignored.
func WithTrustedWriters(usernames ...string) Option {
	return optionFunc(func(c *config) {
		if c.trusted == nil {
			c.trusted = make(map[string]bool, len(usernames))
		}
		for _, u := range usernames {
			if u != "" {
				c.trusted[u] = true
			}
		}
	})
}

// WithUntrustedContext sets how the webhook treats an untrusted context. The default is
// [UntrustedLink].
func WithUntrustedContext(f UntrustedContext) Option {
	return optionFunc(func(c *config) { c.untrusted = f })
}

// WithConverge is [WithConvergeWhen] for kinds that are ready when their condition Ready is True.
func WithConverge(kinds ...client.Object) Option { return WithConvergeWhen(Readiness{}, kinds...) }

// WithConvergeWhen names kinds that get a span "converge {Kind}". The span ends with the write
// through the wrapped client that makes the object ready. The reconcile must have read the object
// before, and more than its metadata. ready also decides when the time of [WithConvergedAge]
// starts. Only the types of the objects matter; nil objects are ignored. By default no kind gets
// the span. Repeated options accumulate, and the last option for a kind wins.
func WithConvergeWhen(ready Readiness, kinds ...client.Object) Option {
	return optionFunc(func(c *config) {
		for _, kind := range kinds {
			if kind != nil {
				c.converging = append(c.converging, converging{kind, ready})
			}
		}
	})
}

// WithCreateAnnotation makes the wrapped client add the span context to every object that it
// creates, also in a reconcile. In another process, a reconcile of the object is then a child of
// the write. Without it, that reconcile is a root in the trace that the write has a link to.
//
// By default creates are not annotated: an operator that replaces all annotations of its objects
// would see the context, and send one more update to remove it.
func WithCreateAnnotation() Option {
	return optionFunc(func(c *config) { c.createAnnotation = true })
}

// WithRelation sets how reconciles relate to the context of their object. The default, also for
// unknown values, is [RelationAuto].
func WithRelation(r Relation) Option {
	return optionFunc(func(c *config) { c.relation = r })
}

// WithReads adds spans "get {Kind}" and "list {Kind}" of kind CLIENT for reads through a wrapped
// client, in a reconcile or with a span in the context. The reads of a reconcile wait until its own
// span starts, so that a reconcile that does nothing still exports nothing. Reads of a wrapped
// webhook before its span starts have no span. By default reads have no spans, because a cache
// serves most of them.
func WithReads() Option {
	return optionFunc(func(c *config) { c.reads = true })
}

// WithMaxAge sets how long after the start of a change a reconcile is still a child of the change's
// context, for an object that has not converged. The default, also for zero and less, is one hour.
func WithMaxAge(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d > 0 {
			c.maxAge = d
		}
	})
}

// WithConvergedAge sets how long after an object became ready its reconciles are still children of
// the change's context. The default, also for zero and less, is ten minutes.
func WithConvergedAge(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d > 0 {
			c.convergedAge = d
		}
	})
}

// config holds the applied options. Only its caches change after newConfig.
type config struct {
	provider    trace.TracerProvider // nil for the global provider
	fixed       trace.Tracer         // of provider; nil for the global provider
	propagators propagation.TextMapPropagator
	prefix      string
	keys        annotationKeys
	scheme      *runtime.Scheme
	trusted     map[string]bool
	untrusted   UntrustedContext
	converging  []converging
	converge    convergence
	causes      *causality
	relation    Relation
	reads       bool

	createAnnotation bool

	maxAge       time.Duration
	convergedAge time.Duration
	queue        any // a *QueueObserver of the request type, or nil
	now          func() time.Time
	names        nameCache
}

func newConfig(opts []Option) *config {
	c := &config{
		propagators:  propagation.TraceContext{},
		prefix:       defaultPrefix,
		scheme:       clientgoscheme.Scheme,
		maxAge:       defaultMaxAge,
		convergedAge: defaultConvergedAge,
		now:          time.Now,
	}
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	if c.provider != nil {
		c.fixed = newTracer(c.provider)
	}
	c.keys = newAnnotationKeys(c.prefix, c.propagators)
	c.converge = newConvergence(c.converging, c.scheme)
	c.causes = sharedCausality.of(c.provider)
	return c
}

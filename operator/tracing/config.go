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

// UntrustedContext says what a webhook does with a trace context that comes from outside, that is from
// any user but the trusted writers.
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

// ParseUntrustedContext reads "link", "parent" or "ignore", as a command line flag would give it. Any
// other word is an error.
func ParseUntrustedContext(s string) (UntrustedContext, error) {
	for _, f := range []UntrustedContext{UntrustedLink, UntrustedParent, UntrustedIgnore} {
		if s == f.String() {
			return f, nil
		}
	}
	return UntrustedLink, fmt.Errorf("parsing untrusted context %q: must be link, parent or ignore", s)
}

// Option changes how the wrappers of this package behave. Every wrapper takes all options and uses
// those that concern it, so that one slice of them can serve a whole operator.
type Option interface {
	apply(*config)
}

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// WithTracerProvider sets where spans go. The default, also for nil and for a nil pointer, is the global of the
// OpenTelemetry API as it is at the time of each operation. A no-op provider switches tracing off.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return providerOption{tp}
}

// providerOption is a type of its own, so that switchedOff can look for it without building a config.
type providerOption struct{ tp trace.TracerProvider }

func (o providerOption) apply(c *config) {
	if !isNil(o.tp) && !isGlobal(o.tp) {
		c.provider = o.tp
	}
}

// WithPropagators sets how a span context becomes text; nil, and a nil pointer, is ignored. The default is W3C Trace
// Context (traceparent and tracestate), not the OpenTelemetry global. Every field of the propagator
// becomes an annotation under the prefix. What stands in traceparent and tracestate is read as level 2 of W3C
// Trace Context says, also where OpenTelemetry's propagator differs: reserved flags are ignored, and nothing
// may follow version 00. (A tracestate whose keys begin with a digit is dropped, since its API cannot hold it.)
func WithPropagators(p propagation.TextMapPropagator) Option {
	return optionFunc(func(c *config) {
		if !isNil(p) {
			c.propagators = p
		}
	})
}

// WithAnnotationPrefix sets what comes before each annotation key, the slash included. The default,
// also for an empty prefix, is "tracing.k8s.io/". All operators of a cluster must agree on it.
func WithAnnotationPrefix(prefix string) Option {
	return optionFunc(func(c *config) {
		if prefix != "" {
			c.prefix = prefix
		}
	})
}

// WithScheme sets the scheme in which [WrapReconciler] looks up the kind of its object; nil is ignored.
// The default is client-go's scheme. For a type that the scheme does not know, the kind is the Go
// type's name. (Wrapped clients ask the client that they wrap.)
func WithScheme(s *runtime.Scheme) Option {
	return optionFunc(func(c *config) {
		if s != nil {
			c.scheme = s
		}
	})
}

// WithTrustedWriters names users whose trace contexts the webhook keeps, for example
// "system:serviceaccount:NAMESPACE:NAME" for another operator. The operator's own user is always trusted
// and needs no name here. Repeated options accumulate, and empty names are ignored.
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

// WithUntrustedContext sets what the webhook does with a context from outside. The default is [UntrustedLink].
func WithUntrustedContext(f UntrustedContext) Option {
	return optionFunc(func(c *config) { c.untrusted = f })
}

// WithConverge is [WithConvergeWhen] for kinds that are ready when their condition Ready is True.
func WithConverge(kinds ...client.Object) Option { return WithConvergeWhen(Readiness{}, kinds...) }

// WithConvergeWhen names kinds that get a span "converge {Kind}" when a write through the wrapped client makes them ready, if the
// reconcile read the object before, and not its metadata alone. Only the types of the objects matter; nil ones are ignored. The
// readiness also decides when [WithConvergedAge] begins. By default no kind gets the span. Repeated options accumulate, and the
// last one for a kind counts.
func WithConvergeWhen(ready Readiness, kinds ...client.Object) Option {
	return optionFunc(func(c *config) {
		for _, kind := range kinds {
			if kind != nil {
				c.converging = append(c.converging, converging{kind, ready})
			}
		}
	})
}

// WithCreateAnnotation makes the wrapped client put the span context onto every object that it creates, also in a reconcile. A
// reconciler of the object in another process is then a child of the write, instead of a root in a trace to which the write has a
// link. By default objects are created as the operator states them: one that replaces the annotations of its objects would
// see the context, and send one update more than without tracing.
func WithCreateAnnotation() Option {
	return optionFunc(func(c *config) { c.createAnnotation = true })
}

// WithRelation sets how reconciles relate to the context that their object carries. The default, also for
// a value that is none of the three, is [RelationAuto].
func WithRelation(r Relation) Option {
	return optionFunc(func(c *config) { c.relation = r })
}

// WithReads makes spans "get {Kind}" and "list {Kind}" of kind CLIENT for reads through a wrapped client:
// within a reconcile, and elsewhere where the context has a span. A reconcile's reads wait until its own
// span starts, so that one that does nothing still exports nothing; what a wrapped webhook reads before its
// span starts has none. It concerns the client. By default reads have no spans: most are served by a cache,
// and take no time.
func WithReads() Option {
	return optionFunc(func(c *config) { c.reads = true })
}

// WithMaxAge sets how long after the start of a change a reconcile of an object that has not converged
// is still a child of the change's context. The default, also for zero and less, is one hour.
func WithMaxAge(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d > 0 {
			c.maxAge = d
		}
	})
}

// WithConvergedAge sets how long after an object became Ready its reconciles are still children of the
// change's context. The default, also for zero and less, is ten minutes.
func WithConvergedAge(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d > 0 {
			c.convergedAge = d
		}
	})
}

// config is what the options make. It is not changed after newConfig, but for its cache.
type config struct {
	provider    trace.TracerProvider // nil: the global
	fixed       trace.Tracer         // of provider; nil for the global
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
	queue        any // a *QueueObserver of the request type; nil for none
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

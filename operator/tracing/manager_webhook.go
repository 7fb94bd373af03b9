package tracing

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// tracedServer wraps webhooks when they are registered.
type tracedServer struct {
	webhook.Server
	m *tracedManager
}

func (m *tracedManager) wrapServer() webhook.Server {
	inner := m.Manager.GetWebhookServer()
	if _, ok := inner.(*tracedServer); ok || isNil(inner) {
		return inner
	}
	if extended[webhook.Server](inner) {
		m.report.skipped("webhook server %T: it has methods of its own", inner)
		return inner
	}
	return &tracedServer{inner, m}
}

// Register implements webhook.Server. It panics if the path is taken, as the server does.
func (s *tracedServer) Register(path string, hook http.Handler) {
	s.m.traceWebhook(path, hook)
	s.Server.Register(path, hook)
}

// traceWebhook replaces the handler of a mutating webhook by a wrapped handler.
func (m *tracedManager) traceWebhook(path string, hook http.Handler) {
	defer func() {
		if problem := recover(); problem != nil {
			m.report.skipped("webhook %s: %v", path, problem)
		}
	}()
	w, ok := hook.(*admission.Webhook)
	if !ok {
		if t := indirectType(hook); !strings.HasSuffix(t.PkgPath(), "controller-runtime/pkg/webhook/conversion") {
			m.report.skipped("webhook %s: %T is not an *admission.Webhook; use WrapAdmissionHandler", path, hook)
		}
		return
	}
	if w == nil || isNil(w.Handler) {
		return
	}
	switch w.Handler.(type) {
	case *rawHandler, *supposedMutator:
		m.report.traced(&m.report.webhooks, path)
		return
	}
	traced := WrapAdmissionHandler(w.Handler, m.opts...)
	switch mutation(path, w.Handler) {
	case neverMutates:
		return
	case mutates:
		w.Handler = traced
	default:
		w.Handler = &supposedMutator{inner: w.Handler, traced: traced}
	}
	w.WithContextFunc = composeContext(WebhookContext(m.opts...), w.WithContextFunc)
	m.report.traced(&m.report.webhooks, path)
}

type contextFunc = func(context.Context, *http.Request) context.Context

// composeContext calls the user's function last, so that its values take precedence.
func composeContext(ours, users contextFunc) contextFunc {
	if users == nil {
		return ours
	}
	return func(ctx context.Context, r *http.Request) context.Context { return users(ours(ctx, r), r) }
}

// mutability says whether a webhook is mutating. A validating webhook must never return a patch:
// the API server would reject the response.
type mutability int

const (
	unknownMutability mutability = iota
	mutates
	neverMutates
)

// mutation decides by controller-runtime's handler type, and otherwise by the path, which by
// convention contains "mutate" or "validate", in the part that comes first.
func mutation(path string, h admission.Handler) mutability {
	if t := indirectType(h); strings.HasSuffix(t.PkgPath(), "controller-runtime/pkg/webhook/admission") {
		switch {
		case strings.HasPrefix(t.Name(), "defaulterForType["), t.Name() == "multiMutating":
			return mutates
		case strings.HasPrefix(t.Name(), "validatorForType["), t.Name() == "multiValidating":
			return neverMutates
		}
	}
	path = strings.ToLower(path)
	mutate, validate := strings.Index(path, "mutat"), strings.Index(path, "validat")
	switch {
	case validate >= 0 && (mutate < 0 || validate < mutate):
		return neverMutates
	case mutate >= 0:
		return mutates
	default:
		return unknownMutability
	}
}

func indirectType(v any) reflect.Type {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// supposedMutator is a handler that can belong to a mutating or a validating webhook. A response
// with a patch proves that the webhook is mutating. It is traced from then on.
type supposedMutator struct {
	inner, traced admission.Handler
	proven        atomic.Bool
}

// Handle implements admission.Handler.
func (s *supposedMutator) Handle(ctx context.Context, req admission.Request) admission.Response {
	if s.proven.Load() {
		return s.traced.Handle(ctx, req)
	}
	resp := s.inner.Handle(ctx, req)
	if len(resp.Patches) > 0 || len(resp.Patch) > 0 {
		s.proven.Store(true)
	}
	return resp
}

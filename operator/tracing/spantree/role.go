package spantree

import (
	"slices"
	"strings"
)

// Role is the part of an operator's work that a span represents. It follows from the attributes,
// names and kinds that package operator/tracing and the sandbox's observer use.
type Role string

// The roles. Every other span has the empty role.
const (
	// RoleReconcile is a reconcile.
	RoleReconcile Role = "reconcile"
	// RoleWrite is a request that changes, or tries to change, an object.
	RoleWrite Role = "write"
	// RoleRead is a get or list request.
	RoleRead Role = "read"
	// RoleWebhook is a call of an admission webhook.
	RoleWebhook Role = "webhook"
	// RoleObserved is a span of the sandbox's observer.
	RoleObserved Role = "observed"
)

const (
	attributeObserved  = "operator.observed"
	attributeKind      = "operator.object.kind"
	attributeUnchanged = "operator.write.unchanged"
	attributeRequeue   = "operator.reconcile.requeue_reason"

	eventConflict      = "conflict"
	eventAlreadyExists = "already_exists"
	eventNotFound      = "not_found"
	eventStaleRead     = "stale_read"
)

// Role returns the role of the span.
func (s *Span) Role() Role {
	if observed, _ := s.Attributes[attributeObserved].(bool); observed {
		return RoleObserved
	}
	if _, found := s.Attributes[attributeKind]; !found {
		return ""
	}
	verb, _, _ := strings.Cut(s.Name, " ")
	switch s.Kind {
	case KindConsumer:
		return RoleReconcile
	case KindServer:
		return RoleWebhook
	case KindProducer:
		return RoleWrite
	case KindClient:
		if verb == "get" || verb == "list" || strings.HasPrefix(verb, "get_") || strings.HasPrefix(verb, "list_") {
			return RoleRead
		}
		return RoleWrite
	}
	return ""
}

// HasEvent reports whether the span has an event with the name.
func (s *Span) HasEvent(name string) bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool { return e.Name == name })
}

// Changed reports whether the span is a write that changed its object: it did not fail, and neither
// the response of the API server nor an attribute reports an unchanged object.
func (s *Span) Changed() bool {
	if s.Role() != RoleWrite || s.Status.Code == StatusError || s.Attributes[attributeUnchanged] == true {
		return false
	}
	return !s.HasEvent(eventConflict) && !s.HasEvent(eventAlreadyExists) && !s.HasEvent(eventNotFound)
}

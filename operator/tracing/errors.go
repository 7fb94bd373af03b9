package tracing

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Outcomes that look like errors but are part of an operator's daily work. The span gets an event of
// this name and its status stays unset.
const (
	outcomeConflict      = "conflict"
	outcomeAlreadyExists = "already_exists"
	outcomeNotFound      = "not_found"
)

// recordError notes the outcome of an operation. A nil error notes nothing.
func recordError(span trace.Span, err error, deleting bool) {
	if err == nil {
		return
	}
	if outcome := benign(err, deleting); outcome != "" {
		span.AddEvent(outcome)
		return
	}
	span.SetAttributes(ErrorTypeKey.String(errorType(err)))
	span.SetStatus(codes.Error, fmt.Sprint(err)) // err may be a nil pointer, whose Error panics
}

// recordPanic notes a panic with its stack. A nil value stands for a goroutine that ended itself.
func recordPanic(span trace.Span, value any) {
	err := fmt.Errorf("panic: %v", value)
	span.RecordError(err, trace.WithStackTrace(true))
	span.SetAttributes(ErrorTypeKey.String("panic"))
	span.SetStatus(codes.Error, err.Error())
}

// benign names the outcome if err, or each of the errors it joins, is a benign one; otherwise "".
func benign(err error, deleting bool) string {
	if parts := joined(err); len(parts) > 0 {
		outcome := ""
		for _, part := range parts {
			if outcome = benign(part, deleting); outcome == "" {
				return ""
			}
		}
		return outcome
	}
	switch {
	case apierrors.IsConflict(err):
		return outcomeConflict
	case apierrors.IsAlreadyExists(err):
		return outcomeAlreadyExists
	case deleting && apierrors.IsNotFound(err):
		return outcomeNotFound
	default:
		return ""
	}
}

// joined gives the parts of an error that joins several, however deep it is wrapped.
func joined(err error) []error {
	for err != nil {
		switch e := err.(type) { //nolint:errorlint // each layer is looked at in turn
		case interface{ Unwrap() []error }:
			return e.Unwrap()
		case interface{ Errors() []error }: // k8s.io/apimachinery's Aggregate
			return e.Errors()
		}
		err = errors.Unwrap(err)
	}
	return nil
}

// reasonOf gives the reason of an API error, or that which its code stands for.
func reasonOf(err error) metav1.StatusReason {
	reason := apierrors.ReasonForError(err)
	if status := apierrors.APIStatus(nil); reason == metav1.StatusReasonUnknown && errors.As(err, &status) {
		code := int(status.Status().Code)
		return apierrors.NewGenericServerResponse(code, "", schema.GroupResource{}, "", "", 0, false).ErrStatus.Reason
	}
	return reason
}

// errorType is a value of few variants: never the message. Of joined errors, the first that is not
// benign gives it.
func errorType(err error) string {
	for _, part := range joined(err) {
		if benign(part, false) == "" {
			return errorType(part)
		}
	}
	if reason := reasonOf(err); reason != metav1.StatusReasonUnknown {
		return string(reason)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "DeadlineExceeded"
	case errors.Is(err, context.Canceled):
		return "Canceled"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	switch t := fmt.Sprintf("%T", err); t {
	case "*errors.errorString", "*fmt.wrapError":
		return "_OTHER"
	default:
		return t
	}
}

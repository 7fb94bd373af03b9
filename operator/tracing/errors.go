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

// Expected outcomes: errors that are part of an operator's normal work. The span gets an event of
// this name, and its status stays unset.
const (
	outcomeConflict      = "conflict"
	outcomeAlreadyExists = "already_exists"
	outcomeNotFound      = "not_found"
)

// recordError records the outcome of an operation on its span. It does nothing if err is nil.
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

// recordPanic records a panic with its stack. A nil value means that the goroutine called
// runtime.Goexit.
func recordPanic(span trace.Span, value any) {
	err := fmt.Errorf("panic: %v", value)
	span.RecordError(err, trace.WithStackTrace(true))
	span.SetAttributes(ErrorTypeKey.String("panic"))
	span.SetStatus(codes.Error, err.Error())
}

// benign returns the name of the outcome if err, and every error that it joins, is expected;
// otherwise "".
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

// joined returns the parts of a joined error, however deep it is wrapped.
func joined(err error) []error {
	for err != nil {
		switch e := err.(type) { //nolint:errorlint // each layer is checked separately
		case interface{ Unwrap() []error }:
			return e.Unwrap()
		case interface{ Errors() []error }: // the Aggregate of k8s.io/apimachinery
			return e.Errors()
		}
		err = errors.Unwrap(err)
	}
	return nil
}

// reasonOf returns the reason of an API error, or the reason for its status code.
func reasonOf(err error) metav1.StatusReason {
	reason := apierrors.ReasonForError(err)
	if status := apierrors.APIStatus(nil); reason == metav1.StatusReasonUnknown && errors.As(err, &status) {
		code := int(status.Status().Code)
		return apierrors.NewGenericServerResponse(code, "", schema.GroupResource{}, "", "", 0, false).ErrStatus.Reason
	}
	return reason
}

// errorType returns the value of error.type, which has few variants and never contains the message.
// For joined errors it uses the first error that is not benign.
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

package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// retryInterval is the pause before a failed request is sent again.
	retryInterval = 200 * time.Millisecond
	// pollInterval is the pause between two reads of an object that is waited for.
	pollInterval = 100 * time.Millisecond
)

// Poll calls check until it returns nil or ctx ends. The error then contains the last failure,
// which explains more than "context deadline exceeded". It starts with what is waited for.
func Poll(ctx context.Context, what string, check func(context.Context) error) error {
	return repeat(ctx, pollInterval, what, check, func(error) bool { return true })
}

// retry is like [Poll], but returns at once if a failure is not [Transient].
func retry(ctx context.Context, what string, try func(context.Context) error) error {
	return repeat(ctx, retryInterval, what, try, Transient)
}

func repeat(ctx context.Context, pause time.Duration, what string, try func(context.Context) error, again func(error) bool) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, pause, true, func(ctx context.Context) (bool, error) {
		err := try(ctx)
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, nil // The end of ctx caused this failure; the one before explains more.
		}
		last = err
		if again(err) {
			return false, nil
		}
		return false, err
	})
	switch {
	case err == nil:
		return nil
	case last == nil || errors.Is(err, last):
		return fmt.Errorf("%s: %w", what, err)
	default:
		return fmt.Errorf("%s: %w: last: %w", what, err, last)
	}
}

// Transient reports whether a failed request may succeed if it is sent again unchanged.
func Transient(err error) bool {
	var status apierrors.APIStatus
	switch {
	case meta.IsNoMatchError(err), apierrors.IsConflict(err), apierrors.IsServiceUnavailable(err), apierrors.IsTooManyRequests(err),
		apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.HasStatusCause(err, "NamespaceTerminating"),
		utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err):
		return true
	case apierrors.IsInternalError(err):
		// "failed calling webhook": its Pod is not ready or its CA is not injected.
		return strings.Contains(err.Error(), "webhook")
	case apierrors.IsNotFound(err) && errors.As(err, &status):
		// The path is unknown if its kind was defined a moment ago. The error about a missing
		// Namespace has a name, and a Namespace does not appear without help.
		return status.Status().Details == nil || status.Status().Details.Name == ""
	}
	return false
}

// Gone reports whether a request failed because the object, or its kind, does not exist.
func Gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

func ignore(is func(error) bool, err error) error {
	if is(err) {
		return nil
	}
	return err
}

// Describe returns the kind and the name of an object: "Deployment jaeger/jaeger".
func Describe(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return obj.GetKind() + " " + obj.GetName()
	}
	return obj.GetKind() + " " + obj.GetNamespace() + "/" + obj.GetName()
}

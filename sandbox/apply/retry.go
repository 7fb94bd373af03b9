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

	"github.com/operator-tracing/sandbox/sandbox/poll"
)

const (
	// retryInterval is the pause before a failed request is sent again.
	retryInterval = 200 * time.Millisecond
	// pollInterval is the pause between two reads of an object that is waited for.
	pollInterval = 100 * time.Millisecond
)

// Poll calls check until it returns nil or ctx ends. The error then contains the last failure. It
// starts with what is waited for.
func Poll(ctx context.Context, what string, check func(context.Context) error) error {
	if err := poll.Until(ctx, pollInterval, check, nil); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// retry is like [Poll], but returns at once if a failure is not [Transient].
func retry(ctx context.Context, what string, try func(context.Context) error) error {
	if err := poll.Until(ctx, retryInterval, try, Transient); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
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

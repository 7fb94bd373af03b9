// Package poll waits for conditions. Unlike the errors of k8s.io/apimachinery, its errors have the
// last failure, which explains more than "context deadline exceeded".
package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Until calls try, and repeats it at an interval until it returns nil. It returns an error of try at
// once if again, unless it is nil, returns false for it. If ctx ends first, the error wraps ctx's error
// and the last error of try that the end of ctx did not cause, or else the first one.
func Until(ctx context.Context, interval time.Duration, try func(context.Context) error, again func(error) bool) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, interval, true, func(ctx context.Context) (bool, error) {
		err := try(ctx)
		if err == nil {
			return true, nil
		}
		ended := ctx.Err() != nil
		if !ended || last == nil {
			last = err
		}
		if ended || again == nil || again(err) {
			return false, nil
		}
		return false, err
	})
	if err == nil || last == nil || errors.Is(err, last) {
		return err
	}
	return fmt.Errorf("%w: last: %w", err, last)
}

// Within is [Until] for at most a limit, and with any error of try.
func Within(ctx context.Context, interval, limit time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return Until(ctx, interval, try, nil)
}

package tracing

import (
	"context"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Logger gives the logger of ctx, which adds trace_id and span_id to each line.
func Logger(ctx context.Context) logr.Logger {
	return log.FromContext(ctx)
}

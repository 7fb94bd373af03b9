package provider

import (
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// errorHandler logs at most one error per interval, because every batch fails while a collector is
// down.
type errorHandler struct {
	logger logr.Logger
	now    func() time.Time

	mu      sync.Mutex
	last    time.Time
	dropped int
}

var _ otel.ErrorHandler = (*errorHandler)(nil)

func newErrorHandler(l logr.Logger) *errorHandler {
	return &errorHandler{logger: l, now: time.Now}
}

// Handle implements otel.ErrorHandler.
func (h *errorHandler) Handle(err error) {
	if m := (*malformed)(nil); errors.As(err, &m) { // From another Provider of the process, which has no logger.
		h.logger.Error(err, "Malformed OpenTelemetry variable")
		return
	}
	h.mu.Lock()
	now := h.now()
	if !h.last.IsZero() && now.Sub(h.last) < errorLogInterval {
		h.dropped++
		h.mu.Unlock()
		return
	}
	dropped := h.dropped
	h.last, h.dropped = now, 0
	h.mu.Unlock()
	h.logger.Error(err, "Exporting traces failed; spans are dropped", "similarErrorsNotLogged", dropped)
}

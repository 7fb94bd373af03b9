package artifact

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Fallback takes images from a registry until that fails, and builds the remaining images from
// source.
type Fallback struct {
	first, second Provider
	canBuildNode  func() error
	note          func(format string, args ...any)

	failed atomic.Bool // the first provider
	node   atomic.Bool // the second provider provided the node
}

var _ Provider = (*Fallback)(nil)

// NewFallback returns a Provider that uses first until it fails, and second then. It does not fall
// back for the node if canBuildNode returns an error. note receives the reason for falling back; it
// can be nil.
func NewFallback(first, second Provider, canBuildNode func() error, note func(format string, args ...any)) *Fallback {
	return &Fallback{first: first, second: second, canBuildNode: canBuildNode, note: note}
}

// Origin returns the origin of the node, as far as it is known. The other images fit both.
func (f *Fallback) Origin() string {
	if f.node.Load() {
		return f.second.Origin()
	}
	return f.first.Origin()
}

// Images implements Provider. It falls back for the node only if this machine can build a node.
func (f *Fallback) Images(ctx context.Context, name string, report Report) ([]Image, error) {
	var failure error
	if !f.failed.Load() {
		var images []Image
		if images, failure = f.first.Images(ctx, name, report); failure == nil || ctx.Err() != nil {
			return images, failure
		}
	}
	if name == component.ControlPlane {
		if err := f.canBuildNode(); err != nil && failure != nil {
			return nil, fmt.Errorf("%w; %w", failure, err)
		} else if err != nil {
			return nil, err
		}
	}
	f.failed.Store(true)
	if f.note != nil && failure != nil {
		f.note(" ! %v: falling back to images from %s", failure, f.second.Origin())
	}
	images, err := f.second.Images(ctx, name, report)
	if err == nil && name == component.ControlPlane {
		f.node.Store(true)
	}
	return images, err
}

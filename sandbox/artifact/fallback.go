package artifact

import (
	"context"
	"fmt"
	"sync"
)

// Fallback takes images from a registry until that fails, and builds the remaining images from
// source.
type Fallback struct {
	first, second Provider
	canBuildNode  func() error
	note          func(format string, args ...any)

	mu     sync.Mutex
	failed bool // the first provider
	node   bool // the second provider provided the node
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
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node {
		return f.second.Origin()
	}
	return f.first.Origin()
}

// Node falls back only if this machine can build a node.
func (f *Fallback) Node(ctx context.Context, report Report) (Image, error) {
	return either(ctx, f, f.canBuildNode, func(p Provider) (Image, error) {
		node, err := p.Node(ctx, report)
		if err == nil && p == f.second {
			f.mu.Lock()
			f.node = true
			f.mu.Unlock()
		}
		return node, err
	})
}

// CertManager implements Provider.
func (f *Fallback) CertManager(ctx context.Context, report Report) ([]Image, error) {
	return either(ctx, f, nil, func(p Provider) ([]Image, error) { return p.CertManager(ctx, report) })
}

// Jaeger implements Provider.
func (f *Fallback) Jaeger(ctx context.Context, report Report) (Image, error) {
	return either(ctx, f, nil, func(p Provider) (Image, error) { return p.Jaeger(ctx, report) })
}

// Samples implements Provider.
func (f *Fallback) Samples(ctx context.Context, report Report) ([]Image, error) {
	return either(ctx, f, nil, func(p Provider) ([]Image, error) { return p.Samples(ctx, report) })
}

// either calls get with the first provider, and with the second if that fails and check, if not
// nil, returns no error.
func either[T any](ctx context.Context, f *Fallback, check func() error, get func(Provider) (T, error)) (got T, err error) {
	f.mu.Lock()
	failed := f.failed
	f.mu.Unlock()
	if !failed {
		got, err = get(f.first)
		if err == nil || ctx.Err() != nil {
			return got, err
		}
	}
	if check != nil {
		if cause := check(); cause != nil && err != nil {
			return got, fmt.Errorf("%w; %w", err, cause)
		} else if cause != nil {
			return got, cause
		}
	}
	f.mu.Lock()
	f.failed = true
	f.mu.Unlock()
	if f.note != nil && err != nil {
		f.note(" ! %v: falling back to images from %s", err, f.second.Origin())
	}
	return get(f.second)
}

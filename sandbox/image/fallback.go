package image

import (
	"context"
	"fmt"
	"sync"
)

// Fallback takes images from a registry as long as it gives them, and builds the rest from source. Once the registry has
// failed, it is not asked again.
type Fallback struct {
	first, second Set
	note          func(format string, args ...any)

	mu     sync.Mutex
	failed bool // the registry
	node   bool // the node is from source
}

var _ Set = (*Fallback)(nil)

// NewFallback returns a Set that begins with first, and says by note, if that is not nil, why it goes over to second.
func NewFallback(first, second Set, note func(format string, args ...any)) *Fallback {
	return &Fallback{first: first, second: second, note: note}
}

// Origin is where the node comes from, as far as is known: the rest goes with either.
func (f *Fallback) Origin() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node {
		return f.second.Origin()
	}
	return f.first.Origin()
}

// Node is from the second where the first fails and this machine can build a node.
func (f *Fallback) Node(ctx context.Context, report Report) (Image, error) {
	node, second, err := either(ctx, f, report, Set.Node, CanBuildNode)
	if second {
		f.mu.Lock()
		f.node = true
		f.mu.Unlock()
	}
	return node, err
}

// CertManager is from the second where the first fails.
func (f *Fallback) CertManager(ctx context.Context, report Report) ([]Image, error) {
	images, _, err := either(ctx, f, report, Set.CertManager, nil)
	return images, err
}

// Jaeger is from the second where the first fails.
func (f *Fallback) Jaeger(ctx context.Context, report Report) (Image, error) {
	image, _, err := either(ctx, f, report, Set.Jaeger, nil)
	return image, err
}

// Samples is from the second where the first fails.
func (f *Fallback) Samples(ctx context.Context, report Report) ([]Image, error) {
	images, _, err := either(ctx, f, report, Set.Samples, nil)
	return images, err
}

// either asks the first set, and the second if that fails and nothing hinders the second.
func either[T any](ctx context.Context, f *Fallback, report Report, get func(Set, context.Context, Report) (T, error),
	hindrance func() error,
) (got T, second bool, err error) {
	f.mu.Lock()
	failed := f.failed
	f.mu.Unlock()
	if !failed {
		got, err = get(f.first, ctx, report)
		if err == nil || ctx.Err() != nil {
			return got, false, err
		}
	}
	if hindrance != nil {
		if cause := hindrance(); cause != nil {
			if err == nil {
				return got, false, cause
			}
			return got, false, fmt.Errorf("%w; %w", err, cause)
		}
	}
	f.mu.Lock()
	f.failed = true
	f.mu.Unlock()
	if f.note != nil && err != nil {
		f.note(" ! %v: going over to images from %s", err, f.second.Origin())
	}
	got, err = get(f.second, ctx, report)
	return got, err == nil, err
}

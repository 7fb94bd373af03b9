package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Down removes everything that up created, except the caches and the engine's node image; with
// purge, these too. From a cluster of the user it removes what up added. report receives progress
// messages. Down returns nil if the sandbox is not up. Files of others in the sandbox's folder are
// left, and Note is called.
func (s *Sandbox) Down(ctx context.Context, purge bool, report func(format string, args ...any)) error {
	// Both fail for the same reason.
	if err := cmp.Or(companion.Of(s.Session).Stop(ctx), companion.GateOf(s.Session).Stop(ctx)); err != nil {
		return state.Remedy(err)
	}
	switch err := s.Attach(); {
	case errors.Is(err, session.ErrDown): // The record may be lost.
		// Clusters of others are ignored.
		for _, p := range s.providers {
			if p.Clean == nil {
				continue
			}
			if err := p.Clean(ctx, s.Session); err != nil {
				return err
			}
		}
	case err != nil:
		return err
	default:
		if err := s.cluster.Down(ctx, report); err != nil {
			return err
		}
	}
	if purge {
		if err := removeCaches(ctx); err != nil {
			return err
		}
	}
	left, err := s.Dir.Remove()
	if len(left) > 0 {
		s.Notef("%s is not removed: it holds %s, which is not the sandbox's.", s.Dir.Path, left[0])
	}
	return err
}

// removeCaches removes what was built or pulled, and the images in the engines.
func removeCaches(ctx context.Context) error {
	for _, engine := range engine.RunningEngines(ctx) {
		if err := engine.RemoveImages(ctx, artifact.LocalRepository); err != nil {
			return fmt.Errorf("removing the sandbox's images from %s: %w", engine.Name, err)
		}
	}
	folder, err := state.CachePath()
	if err != nil {
		return err
	}
	return cache.Remove(folder)
}

// ErrNoProcess means that the components of the cluster run as Pods, not as processes.
var ErrNoProcess = errors.New("stopping a component")

// StopProcess ends one process of an embedded cluster until the next up. The caller holds the lock.
func (s *Sandbox) StopProcess(ctx context.Context, name string) error {
	stopper, ok := s.cluster.(provider.Stopper)
	if !ok {
		return fmt.Errorf("%w: only an embedded cluster's are; on others they are Pods: use kubectl scale, with the kubeconfig that %s names", ErrNoProcess, hint.Run("env"))
	}
	return stopper.Stop(ctx, name)
}

package embedded

import (
	"context"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// restoreSnapshot writes the snapshot of an equal cluster into a new etcd. If there is none, the
// cluster becomes the next snapshot; see keepSnapshot. A failure costs only time, so it is a notice:
// the API server creates the objects itself, and up applies the others.
func (c *Cluster) restoreSnapshot(ctx context.Context, etcd snapshot.Etcd) bool {
	store, err := c.snapshotStore()
	if err != nil {
		c.session.Notef(" ! Not using a snapshot: %v", err)
		return false
	}
	entries, err := store.Load()
	if err != nil {
		c.session.Notef(" ! Discarded a snapshot: %v", err)
	}
	if len(entries) == 0 {
		c.keep = &store
		return false
	}
	if err := etcd.Write(ctx, entries); err != nil {
		c.session.Notef(" ! Not using a snapshot: %v", err)
		return false
	}
	return true
}

// keepSnapshot keeps the objects of a new cluster. At this time all kinds and the objects of
// the other components exist, but nothing that the operator or the user created.
func (c *Cluster) keepSnapshot(ctx context.Context, report provider.Report) {
	if c.keep == nil {
		return
	}
	report("keeping a snapshot for the next up")
	defer report("") // It says nothing about a later failure.
	etcd, err := c.Cluster.Etcd()
	if err == nil {
		var entries []snapshot.Entry
		if entries, err = etcd.Read(ctx); err == nil {
			err = c.keep.Save(entries)
		}
	}
	if err != nil && ctx.Err() == nil {
		c.session.Notef(" ! Not keeping a snapshot: %v", err)
	}
	c.keep = nil
}

// snapshotStore returns the place of the snapshot for everything that the objects depend on: the
// programs and arguments of the control plane, the charts and their values, and the operator's
// manifests. Authorities are not part of the key, because no object in a snapshot has one.
func (c *Cluster) snapshotStore() (snapshot.Store, error) {
	folder, err := state.CachePath()
	if err != nil {
		return snapshot.Store{}, err
	}
	arguments, err := c.Cluster.StorageInputs(c.pathsOf(component.ControlPlane))
	if err != nil {
		return snapshot.Store{}, err
	}
	inputs := []any{arguments, c.session.Manifests.Objects}
	for _, row := range component.On(component.Embedded) {
		inputs = append(inputs, row.Name, row.Version, row.Namespace)
		if row.Chart != nil {
			inputs = append(inputs, row.Chart.Module, row.Chart.Folder, row.Chart.Values(component.ChartOptions{WebhookAddress: "localhost"}))
		}
	}
	key, err := snapshot.Key(inputs...)
	return snapshot.Store{Cache: folder, Key: key}, err
}

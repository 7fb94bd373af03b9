package reset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/poll"
)

// Store is an etcd whose only user is one API server.
type Store struct {
	Etcd snapshot.Etcd
	// Path is the file of the reset point.
	Path string
}

const (
	// storeLimit limits a reset. It takes longer only if a program creates objects all the time.
	storeLimit = 20 * time.Second
	// pause is the time in which controllers react to a reset.
	pause = 50 * time.Millisecond
	// quiet is the number of looks without a new difference that end a reset.
	quiet = 2
	// parallelism is the number of concurrent requests.
	parallelism = 16
)

// stored is an object with its value in etcd.
type stored struct {
	Object
	value []byte
}

// Keep keeps the objects that the sandbox installed, as the point of the next Reset. Objects of the
// last point that the sandbox did not apply keep their old values: a user may have changed them.
func (s Store) Keep(ctx context.Context) error {
	last, err := lastPoint(s.Path)
	if err != nil {
		return fmt.Errorf("keeping the reset point: %w", err)
	}
	all, err := s.read(ctx)
	if err != nil {
		return err
	}
	objects := objectsOf(all)
	point := Point{Cluster: clusterOf(objects)}
	before := last.keys(point.Cluster)
	keys, known := installedKeys(objects, before), Keys{}
	for _, o := range all {
		if keys.Has(o.Key) && (!before.Has(o.Key) || isInstalled(o.Object)) {
			point.Entries = append(point.Entries, snapshot.Entry{Key: []byte(o.Key), Value: o.value})
			known.Insert(o.Key)
		}
	}
	for _, e := range last.Entries {
		if o, ok := decode(e); before.Has(string(e.Key)) && !known.Has(string(e.Key)) && ok && !isInstalled(o.Object) {
			point.Entries = append(point.Entries, e)
		}
	}
	return point.save(s.Path)
}

// Added returns the objects that Reset deletes. The error is [ErrNoPoint] if there is no point of this
// cluster.
func (s Store) Added(ctx context.Context) ([]Object, error) {
	look, err := s.look(ctx)
	return look.added, err
}

// Reset deletes the objects that were created since the last Keep, and writes changed or deleted
// objects of the point. It ignores finalizers. It repeats that until controllers no longer react to it.
// If objects are created again until the time limit, Outcome.Stayed has them.
func (s Store) Reset(ctx context.Context, report Report) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	var out Outcome
	var last difference
	var added []Object
	var restored []stored
	calm := 0
	err := poll.Until(ctx, pause, func(ctx context.Context) error {
		look, err := s.look(ctx)
		if err != nil {
			return err
		}
		if added != nil {
			look.changed = nil // Controllers write some of them all the time.
		}
		if added == nil {
			added = append([]Object{}, look.added...)
		} else {
			// The dependents are reactions of controllers to the first round.
			added = append(added, slices.DeleteFunc(slices.Clone(look.added), func(o Object) bool { return len(o.OwnerReferences) > 0 })...)
		}
		last, restored = look, slices.Concat(restored, look.changed, look.missing)
		out.Recreated = out.Recreated || len(look.missing) > 0
		out.Redefined = out.Redefined || slices.ContainsFunc(look.missing, func(o stored) bool { return isDefinition(o.Object) })
		if calm++; !look.isEmpty() {
			calm = 0
			report("%d objects to delete, %d to restore", len(Names(look.added)), len(look.changed)+len(look.missing))
		}
		if err := s.write(ctx, look); err != nil {
			return err
		}
		if calm < quiet {
			return errAgain
		}
		return nil
	}, func(err error) bool { return errors.Is(err, errAgain) })
	out.Deleted, out.Restored = Names(Users(added)), Names(objectsOf(restored))
	if err != nil && errors.Is(err, errAgain) && !last.isEmpty() {
		for _, name := range Names(objectsOf(last.missing)) {
			out.Stayed = append(out.Stayed, name+": a program deletes it again")
		}
		for _, name := range Names(last.added) {
			out.Stayed = append(out.Stayed, name+": a program creates it again")
		}
		return out, nil
	}
	return out, err
}

// errAgain repeats a reset.
var errAgain = errors.New("controllers react to the reset")

// difference is the difference between a cluster and its point.
type difference struct {
	added            []Object
	changed, missing []stored // as they are in the point
}

// isEmpty ignores events: controllers create them as reactions.
func (d difference) isEmpty() bool {
	return len(Names(d.added)) == 0 && len(d.changed) == 0 && len(d.missing) == 0
}

func (s Store) look(ctx context.Context) (difference, error) {
	point, err := loadPoint(s.Path)
	if err != nil {
		return difference{}, noPoint(err)
	}
	all, err := s.read(ctx)
	if err != nil {
		return difference{}, err
	}
	objects := objectsOf(all)
	installed := point.keys(clusterOf(objects))
	if installed == nil {
		return difference{}, ErrNoPoint
	}
	live := make(map[string]stored, len(all))
	for _, o := range all {
		live[o.Key] = o
	}
	d := difference{added: Added(objects, installed)}
	for _, e := range point.Entries {
		o, ok := decode(e)
		now, found := live[o.Key]
		switch {
		case !ok || isTransient(o.Object):
		case !found:
			d.missing = append(d.missing, o)
		case !bytes.Equal(now.value, o.value):
			d.changed = append(d.changed, o)
		}
	}
	return d, nil
}

// isTransient reports whether controllers write objects of a kind all the time, so that an old one
// would be wrong.
func isTransient(o Object) bool {
	switch o.Kind.Kind {
	case "Lease", "Endpoints", "EndpointSlice", "IPAddress", "Node":
		return true
	}
	return isEvent(o)
}

// write writes a difference. Namespaces are first, so that controllers cannot create deleted objects
// again. Owners precede their dependents for the same reason. Definitions are last, so that watches see
// the end of their objects.
func (s Store) write(ctx context.Context, d difference) error {
	var definitions []Object
	for _, objects := range generations(d.added) {
		for _, o := range objects {
			if isDefinition(o) {
				definitions = append(definitions, o)
			}
		}
		if err := s.remove(ctx, slices.DeleteFunc(objects, isDefinition)); err != nil {
			return err
		}
	}
	if err := s.remove(ctx, definitions); err != nil {
		return err
	}
	values := map[string][]byte{}
	restored := slices.Concat(d.missing, d.changed)
	for _, o := range restored {
		values[o.Key] = o.value
	}
	for _, objects := range generations(objectsOf(restored)) {
		err := each(ctx, objects, func(ctx context.Context, o Object) error {
			return s.Etcd.Put(ctx, snapshot.Entry{Key: []byte(o.Key), Value: values[o.Key]})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s Store) remove(ctx context.Context, objects []Object) error {
	return each(ctx, objects, func(ctx context.Context, o Object) error { return s.Etcd.Delete(ctx, o.Key) })
}

func isDefinition(o Object) bool { return o.Kind.Kind == "CustomResourceDefinition" }

func each[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for _, item := range items {
		group.Go(func() error { return do(ctx, item) })
	}
	return group.Wait()
}

// read returns all objects of the API server.
func (s Store) read(ctx context.Context) ([]stored, error) {
	entries, err := s.Etcd.All(ctx)
	if err != nil {
		return nil, err
	}
	objects := make([]stored, 0, len(entries))
	for _, e := range entries {
		if o, ok := decode(e); ok {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

func objectsOf(all []stored) []Object {
	objects := make([]Object, 0, len(all))
	for _, o := range all {
		objects = append(objects, o.Object)
	}
	return objects
}

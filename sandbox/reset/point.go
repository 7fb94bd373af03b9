package reset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// maxPoint limits the file of a point, in bytes. The reference operator's has 1 MB.
const maxPoint = 128 << 20

// Point has the objects that a sandbox installed.
type Point struct {
	// Cluster is the UID of the cluster; see clusterOf.
	Cluster types.UID `json:"cluster"`
	// Entries are the keys of the objects and, on an embedded cluster, their values. They include
	// Secrets, so only the user can read the file.
	Entries []snapshot.Entry `json:"entries"`
}

// keys returns the keys of the objects; nil for a point of another cluster.
func (p Point) keys(cluster types.UID) Keys {
	if p.Cluster == "" || p.Cluster != cluster {
		return nil
	}
	keys := Keys{}
	for _, e := range p.Entries {
		keys.Insert(string(e.Key))
	}
	return keys
}

// loadPoint reads a point. If there is none, the error wraps fs.ErrNotExist.
func loadPoint(path string) (Point, error) {
	var p Point
	data, err := input.ReadFile(path, maxPoint)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

// lastPoint is [loadPoint] for a caller that replaces the point: a missing or damaged one is empty.
func lastPoint(path string) (Point, error) {
	p, err := loadPoint(path)
	var syntax *json.SyntaxError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &syntax) {
		return Point{}, nil
	}
	return p, err
}

func (p Point) save(path string) error {
	if err := state.Write(path, p); err != nil {
		return fmt.Errorf("keeping the reset point: %w", err)
	}
	return nil
}

// KeepKeys keeps the keys of the objects that a sandbox installed, as the point at the path. It drops the
// keys of a point of another cluster.
func KeepKeys(path string, objects []Object) error {
	last, err := lastPoint(path)
	if err != nil {
		return fmt.Errorf("keeping the reset point: %w", err)
	}
	point := Point{Cluster: clusterOf(objects)}
	before := last.keys(point.Cluster)
	for key := range installedKeys(objects, before).Union(before) {
		point.Entries = append(point.Entries, snapshot.Entry{Key: []byte(key)})
	}
	return point.save(path)
}

// LoadKeys returns the keys of the point at the path. The error is [ErrNoPoint] if there is none of
// the cluster that has the objects.
func LoadKeys(path string, objects []Object) (Keys, error) {
	p, err := loadPoint(path)
	if err != nil {
		return nil, noPoint(err)
	}
	keys := p.keys(clusterOf(objects))
	if keys == nil {
		return nil, ErrNoPoint
	}
	return keys, nil
}

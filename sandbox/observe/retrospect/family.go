package retrospect

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// family is a set of objects with their owners.
type family struct {
	members []*member // the owners first
	byUID   map[types.UID]*member
	// controllers are the managers that write statuses.
	controllers map[string]bool
}

// member is an object whose versions are reconstructed.
type member struct {
	object  *unstructured.Unstructured
	depth   int // the number of owners above it
	created time.Time
	// owners has the index of the managedFields entry of each condition, and desired is the number of
	// changes of the desired state after the creation. points sets them.
	owners  map[string]int
	desired int64
}

func newFamily(objects []*unstructured.Unstructured) *family {
	f := &family{byUID: map[types.UID]*member{}, controllers: map[string]bool{}}
	for _, u := range objects {
		m := &member{object: trimmed(u), created: earliest(u)}
		if f.byUID[u.GetUID()] != nil || u.GetUID() == "" || m.created.IsZero() {
			continue
		}
		f.byUID[u.GetUID()] = m
		f.members = append(f.members, m)
		for _, e := range u.GetManagedFields() {
			if e.Subresource == "status" {
				f.controllers[e.Manager] = true
			}
		}
	}
	for _, m := range f.members {
		m.depth = len(f.ancestors(m.object.GetUID())) - 1
	}
	slices.SortStableFunc(f.members, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.name(), b.name()))
	})
	for _, m := range f.members { // An object is not older than its owners, even if clocks differ.
		for _, o := range m.object.GetOwnerReferences() {
			if owner := f.byUID[o.UID]; owner != nil && owner.depth < m.depth && owner.created.After(m.created) {
				m.created = owner.created
			}
		}
	}
	return f
}

// trimmed returns the object with at most maxConditions conditions.
func trimmed(u *unstructured.Unstructured) *unstructured.Unstructured {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	if len(list) <= maxConditions {
		return u
	}
	u = u.DeepCopy()
	_ = unstructured.SetNestedSlice(u.Object, list[:maxConditions], "status", "conditions") // The path exists.
	return u
}

// name orders objects of one depth.
func (m *member) name() string {
	return m.object.GetKind() + "/" + m.object.GetNamespace() + "/" + m.object.GetName() + "/" + string(m.object.GetUID())
}

// ancestors returns an object and the owners above it. Owners can form a cycle.
func (f *family) ancestors(uid types.UID) map[types.UID]bool {
	found := map[types.UID]bool{uid: true}
	for next := []types.UID{uid}; len(next) > 0; next = next[1:] {
		m := f.byUID[next[0]]
		if m == nil {
			continue
		}
		for _, o := range m.object.GetOwnerReferences() {
			if !found[o.UID] && f.byUID[o.UID] != nil {
				found[o.UID] = true
				next = append(next, o.UID)
			}
		}
	}
	return found
}

// earliest returns the creation time or, without one, the first other time; zero if there is none.
func earliest(u *unstructured.Unstructured) time.Time {
	if created := u.GetCreationTimestamp(); !created.IsZero() {
		return created.UTC().Truncate(time.Second)
	}
	var first time.Time
	for _, e := range u.GetManagedFields() {
		if e.Time != nil && !e.Time.IsZero() && (first.IsZero() || e.Time.Time.Before(first)) {
			first = e.Time.Time
		}
	}
	for _, c := range conditionsOf(u) {
		if at := timeOf(c["lastTransitionTime"]); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first.UTC().Truncate(time.Second)
}

// timeOf reads a time of the API; zero if it is none.
func timeOf(value any) time.Time {
	text, _ := value.(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Second)
}

// maxConditions is the number of conditions of an object that are read.
const maxConditions = 128

func conditionsOf(u *unstructured.Unstructured) []map[string]any {
	status, _ := u.Object["status"].(map[string]any)
	list, _ := status["conditions"].([]any)
	var found []map[string]any
	for _, item := range list {
		if c, ok := item.(map[string]any); ok {
			found = append(found, c)
		}
	}
	return found
}

func comparePoints(a, b point) int {
	depth := cmp.Compare(a.depth, b.depth)
	if a.phase == phaseStatus {
		depth = -depth // A status follows from the dependents' statuses.
	}
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.phase, b.phase), depth, cmp.Compare(a.name, b.name), cmp.Compare(a.number, b.number))
}

// eventPoints returns the Events about the objects. A container that has started without an Event, for
// example because Events are deleted after an hour, gets one.
func (f *family) eventPoints(events []*unstructured.Unstructured) []point {
	var all []point
	started := map[string]bool{}
	for _, e := range events {
		about, _ := e.Object["involvedObject"].(map[string]any)
		uid, _ := about["uid"].(string)
		m := f.byUID[types.UID(uid)]
		at := eventTime(e)
		if m == nil || at.IsZero() {
			continue
		}
		if e.Object["reason"] == "Started" {
			path, _ := about["fieldPath"].(string)
			started[uid+path] = true
		}
		number, _ := strconv.Atoi(e.GetResourceVersion()) // 0 if it is not a number: they only order Events.
		all = append(all, m.eventPoint(e.DeepCopy(), at, number))
	}
	for _, m := range f.members {
		containers := m.containers()
		for _, path := range slices.Sorted(maps.Keys(containers)) {
			if uid := string(m.object.GetUID()); !started[uid+path] {
				all = append(all, m.eventPoint(&unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "v1", "kind": "Event", "reason": "Started", "type": "Normal", "involvedObject": map[string]any{"uid": uid, "fieldPath": path},
				}}, containers[path], 0))
			}
		}
	}
	return all
}

func (m *member) eventPoint(e *unstructured.Unstructured, at time.Time, number int) point {
	if at.Before(m.created) {
		at = m.created
	}
	return point{at: at, phase: phaseEvent, number: number, change: writes.Change{Object: e}}
}

// eventTime returns when an Event first happened.
func eventTime(e *unstructured.Unstructured) time.Time {
	for _, field := range []string{"firstTimestamp", "eventTime", "lastTimestamp"} {
		if at := timeOf(e.Object[field]); !at.IsZero() {
			return at
		}
	}
	if created := e.GetCreationTimestamp(); !created.IsZero() {
		return created.UTC().Truncate(time.Second)
	}
	return time.Time{}
}

// containers returns when the containers of a Pod started, by the fieldPath that Events have.
func (m *member) containers() map[string]time.Time {
	if m.object.GetKind() != "Pod" || m.object.GetAPIVersion() != "v1" {
		return nil
	}
	found := map[string]time.Time{}
	for field, path := range map[string]string{"containerStatuses": "spec.containers", "initContainerStatuses": "spec.initContainers"} {
		list, _, _ := unstructured.NestedSlice(m.object.Object, "status", field)
		for _, item := range list {
			status, _ := item.(map[string]any)
			name, _ := status["name"].(string)
			for _, state := range []string{"running", "terminated"} {
				text, _, _ := unstructured.NestedString(status, "state", state, "startedAt")
				if at := timeOf(text); !at.IsZero() {
					found[path+"{"+name+"}"] = at
				}
			}
		}
	}
	return found
}

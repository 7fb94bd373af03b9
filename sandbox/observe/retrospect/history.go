package retrospect

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// moment is a write of one object by one manager.
type moment struct {
	at      time.Time
	phase   phase
	manager int // the index of the entry in managedFields; noManager if it is not known
}

const noManager = -1

// maxMoments is the number of known writes of one object. Later ones are left out.
const maxMoments = 128

// points returns the known writes of an object.
func (m *member) points() []point {
	moments := m.moments()
	moments = moments[:min(len(moments), maxMoments)]
	m.desired = countDesired(moments)
	var all []point
	for i, at := range moments {
		version := m.version(moments[:i+1], i == len(moments)-1)
		all = append(all, point{at: at.at, phase: at.phase, depth: m.depth, name: m.name(), number: i, change: writes.Change{Object: version}})
	}
	all[len(all)-1].last = m.object.GetResourceVersion()
	return all
}

// moments returns the writes in their order; the first one is the creation.
func (m *member) moments() []moment {
	entries := m.object.GetManagedFields()
	creator := creatorOf(entries)
	m.owners = ownersOf(entries, conditionsOf(m.object))
	all := []moment{{m.created, phaseCreate, creator}}
	add := func(at time.Time, p phase, manager int) {
		if at.Before(m.created) {
			at = m.created
		}
		if found := (moment{at, p, manager}); !at.IsZero() && !slices.Contains(all, found) {
			all = append(all, found)
		}
	}
	for i, e := range entries {
		if e.Time == nil {
			continue
		}
		at := e.Time.UTC().Truncate(time.Second)
		switch {
		case e.Subresource != "":
			add(at, phaseStatus, i)
		case i != creator || at.After(m.created):
			add(at, phaseDesired, i)
		}
	}
	for _, c := range conditionsOf(m.object) {
		at := timeOf(c["lastTransitionTime"])
		if at.IsZero() || m.isBinding(c) {
			continue
		}
		kind, _ := c["type"].(string)
		add(at, phaseStatus, m.owners[kind])
	}
	if at := m.bound(); !at.IsZero() {
		add(at, phaseBind, noManager)
	}
	if at := m.deleted(); !at.IsZero() {
		add(at, phaseDelete, noManager)
	}
	slices.SortStableFunc(all, func(a, b moment) int {
		return comparePoints(point{at: a.at, phase: a.phase, number: a.manager}, point{at: b.at, phase: b.phase, number: b.manager})
	})
	return all
}

// creatorOf returns the index of the entry of the manager that created an object: the first one with
// more than metadata, and of several in one second the one with the most fields.
func creatorOf(entries []metav1.ManagedFieldsEntry) int {
	best := noManager
	for i, e := range entries {
		if e.Subresource == "" && (best == noManager || isBetterCreator(e, entries[best])) {
			best = i
		}
	}
	return best
}

func isBetterCreator(a, b metav1.ManagedFieldsEntry) bool {
	if onlyA, onlyB := onlyMetadata(a), onlyMetadata(b); onlyA != onlyB {
		return onlyB
	}
	if a.Time != nil && b.Time != nil && !a.Time.Equal(b.Time) {
		return a.Time.Before(b.Time)
	}
	return size(a) > size(b)
}

func onlyMetadata(e metav1.ManagedFieldsEntry) bool {
	fields := fieldsOf(e)
	_, has := fields["f:metadata"]
	return has && len(fields) == 1
}

func size(e metav1.ManagedFieldsEntry) int {
	if e.FieldsV1 == nil {
		return 0
	}
	return len(e.FieldsV1.GetRawBytes())
}

func fieldsOf(e metav1.ManagedFieldsEntry) map[string]any {
	var fields map[string]any
	if e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields) != nil {
		return nil // Its fields are not known.
	}
	return fields
}

// ownersOf returns the index of the entry that has each condition, else of the last one of a status.
func ownersOf(entries []metav1.ManagedFieldsEntry, conditions []map[string]any) map[string]int {
	status, owners := noManager, map[string]int{}
	for i, e := range entries {
		if e.Subresource == "status" {
			status = i
		}
		fields, _ := fieldsOf(e)["f:status"].(map[string]any)
		owned, _ := fields["f:conditions"].(map[string]any)
		for key := range owned {
			var item struct{ Type string }
			text, isItem := strings.CutPrefix(key, "k:")
			if !isItem || json.Unmarshal([]byte(text), &item) != nil {
				continue
			}
			if _, taken := owners[item.Type]; !taken {
				owners[item.Type] = i
			}
		}
	}
	for _, c := range conditions {
		kind, _ := c["type"].(string)
		if _, found := owners[kind]; !found {
			owners[kind] = status
		}
	}
	return owners
}

// isBinding reports whether a condition is the scheduler's success, which is part of the binding.
func (m *member) isBinding(condition map[string]any) bool {
	return m.object.GetKind() == "Pod" && condition["type"] == "PodScheduled" && condition["status"] == "True"
}

// bound returns when a Pod was bound to its node; zero if it was not.
func (m *member) bound() time.Time {
	node, _, _ := unstructured.NestedString(m.object.Object, "spec", "nodeName")
	if node == "" || m.object.GetKind() != "Pod" || m.object.GetAPIVersion() != "v1" {
		return time.Time{}
	}
	for _, c := range conditionsOf(m.object) {
		if at := timeOf(c["lastTransitionTime"]); m.isBinding(c) && !at.IsZero() {
			return at
		}
	}
	started, _, _ := unstructured.NestedString(m.object.Object, "status", "startTime")
	return timeOf(started)
}

// deleted returns when the deletion of an object was requested; zero if it was not.
func (m *member) deleted() time.Time {
	at := m.object.GetDeletionTimestamp()
	if at == nil {
		return time.Time{}
	}
	grace := m.object.GetDeletionGracePeriodSeconds()
	if grace == nil {
		return at.UTC().Truncate(time.Second)
	}
	return at.Add(-time.Duration(*grace) * time.Second).UTC().Truncate(time.Second)
}

// version returns the object after some of its moments. Fields whose time is not known are there from
// the last one on, the desired state from the first.
func (m *member) version(past []moment, last bool) *unstructured.Unstructured {
	u := m.object.DeepCopy()
	now := past[len(past)-1].at
	isPast := func(p phase) bool { return slices.ContainsFunc(past, func(one moment) bool { return one.phase == p }) }
	m.setManagers(u, past)
	if m.object.GetDeletionTimestamp() != nil && !isPast(phaseDelete) {
		u.SetDeletionTimestamp(nil)
	}
	if !m.bound().IsZero() && !isPast(phaseBind) {
		unstructured.RemoveNestedField(u.Object, "spec", "nodeName")
	}
	u.SetGeneration(m.generation(past))
	status, _ := u.Object["status"].(map[string]any)
	if status == nil {
		return u
	}
	var conditions []any
	for _, c := range conditionsOf(u) {
		at := timeOf(c["lastTransitionTime"])
		kind, _ := c["type"].(string)
		written := isPast(phaseBind)
		if !m.isBinding(c) {
			written = slices.ContainsFunc(past, func(one moment) bool { return one.phase == phaseStatus && one.manager == m.owners[kind] })
		}
		if last || written && !at.IsZero() && !at.After(now) {
			conditions = append(conditions, c)
		}
	}
	if last {
		return u
	}
	delete(u.Object, "status")
	if len(conditions) > 0 {
		u.Object["status"] = map[string]any{"conditions": conditions}
	}
	return u
}

// setManagers sets managedFields as of the last of some moments.
func (m *member) setManagers(u *unstructured.Unstructured, past []moment) {
	entries := u.GetManagedFields()
	var known []metav1.ManagedFieldsEntry
	for i, e := range entries {
		for _, one := range slices.Backward(past) {
			if one.manager == i {
				e.Time = &metav1.Time{Time: one.at}
				known = append(known, e)
				break
			}
		}
	}
	u.SetManagedFields(known)
}

// generation returns the generation after some moments: each change of the desired state raises it,
// but not above the live one.
func (m *member) generation(past []moment) int64 {
	live, changes := m.object.GetGeneration(), countDesired(past)
	if changes == m.desired {
		return live
	}
	return min(1+changes, live)
}

func countDesired(moments []moment) (n int64) {
	for _, one := range moments {
		if one.phase == phaseDesired {
			n++
		}
	}
	return n
}

package writes

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes/fieldhash"
)

// contextAnnotation is where package operator/tracing writes the context of an object's last change.
const contextAnnotation = "tracing.k8s.io/traceparent"

// Object identifies an object.
type Object struct {
	Group, Kind, Namespace, Name string
	UID                          types.UID
}

// String returns KIND NAMESPACE/NAME.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// version is a digest of one version of an object. It has no values of fields, except names of
// other objects.
type version struct {
	object     Object
	revision   uint64 // of the resourceVersion
	generation int64
	deleting   bool
	owners     []owner
	finalizers int  // their number
	foreground bool // one of them waits for the dependents
	labels     map[string]string
	selector   map[string]string
	managers   map[manager]entry
	fields     map[string]uint64 // a hash of each field, as spec.replicas or status.phase
	desired    uint64            // a hash of the fields that selector and mentions depend on
	conditions map[string]condition
	mentions   []mention
	node       string // spec.nodeName of a Pod
	context    trace.SpanContext
}

type owner struct {
	uid        types.UID
	controller bool
}

// manager is a field manager, as one entry in managedFields names it. It can have entries of several
// API versions.
type manager struct{ name, operation, subresource, version string }

// entry has hashes of an entry in managedFields, and of the values that the manager owns.
type entry struct{ entry, values uint64 }

type condition struct{ status, reason string }

// digest returns the digest of an object. before is the version before; nil if there is none.
func digest(u *unstructured.Unstructured, before *version) *version {
	gvk := u.GroupVersionKind()
	v := &version{
		object:     Object{Group: gvk.Group, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID()},
		generation: u.GetGeneration(), deleting: u.GetDeletionTimestamp() != nil,
		finalizers: len(u.GetFinalizers()), foreground: slices.Contains(u.GetFinalizers(), metav1.FinalizerDeleteDependents), labels: labelsOf(u), conditions: conditionsOf(u.Object), context: contextOf(u.GetAnnotations()),
		managers: map[manager]entry{}, fields: map[string]uint64{},
	}
	v.revision, _ = strconv.ParseUint(u.GetResourceVersion(), 10, 64) // 0 if it is not a number: it never is the cause then.
	for _, r := range u.GetOwnerReferences() {
		if isController := r.Controller != nil && *r.Controller; isController || len(v.owners) < maxEntries {
			v.owners = append(v.owners, owner{uid: r.UID, controller: isController})
		}
	}
	v.addManagers(u.Object)
	v.hashFields(u.Object)
	if gvk.Kind == "Pod" && gvk.Group == "" {
		v.node, _, _ = unstructured.NestedString(u.Object, "spec", "nodeName")
	}
	if before != nil && before.desired == v.desired {
		v.selector, v.mentions = before.selector, before.mentions
		return v
	}
	v.selector = selectorOf(u.Object)
	v.mentions = mentionsOf(u)
	for key, value := range v.labels {
		if isName(value) && len(v.mentions) < maxMentions {
			v.mentions = append(v.mentions, mention{value, strings.ToLower(key), Name})
		}
	}
	return v
}

// addManagers adds the entries of managedFields, of which an object can have any form: its
// GetManagedFields logs an error then.
func (v *version) addManagers(object map[string]any) {
	metadata, _ := object["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	// The API server sorts entries of updates by time, the latest last.
	for _, item := range entries[max(0, len(entries)-maxEntries):] {
		e, _ := item.(map[string]any)
		text := func(field string) string {
			value, _ := e[field].(string)
			return clip(value)
		}
		fields, _ := e["fieldsV1"].(map[string]any)
		m := manager{text("manager"), text("operation"), text("subresource"), text("apiVersion")}
		v.managers[m] = entry{fieldhash.Of([]any{e["time"], e["fieldsV1"]}), fieldhash.Owned(fields, object)}
	}
}

// hashFields hashes the fields of the first two levels, and of metadata only labels, annotations,
// owners and finalizers. It hashes fields as a whole that have too many inner ones.
func (v *version) hashFields(object map[string]any) {
	for _, field := range slices.Sorted(maps.Keys(object)) {
		inner, nested := object[field].(map[string]any)
		switch {
		case field == "metadata":
			for _, name := range []string{"labels", "annotations", "ownerReferences", "finalizers"} {
				if inner[name] != nil {
					v.addField(field+"."+name, inner[name])
				}
			}
		case field == "apiVersion" || field == "kind":
		case nested && len(v.fields)+len(inner) <= maxNames:
			for name, value := range inner {
				v.addField(field+"."+clip(name), value)
			}
		case len(v.fields) < maxNames:
			v.addField(clip(field), object[field])
		default:
			v.addField("others", object[field])
		}
	}
	for name, sum := range v.fields {
		if name == "metadata.labels" || name != "status" && !strings.HasPrefix(name, "status.") && !strings.HasPrefix(name, "metadata.") {
			v.desired += fieldhash.Mix(fieldhash.Of(name), sum)
		}
	}
}

// addField adds the hash of a value. Clipped names can be equal.
func (v *version) addField(name string, value any) { v.fields[name] += fieldhash.Of(value) }

// clip returns the first part of a name, which limits the memory of an object.
func clip(name string) string {
	if len(name) <= maxText {
		return name
	}
	return strings.Clone(strings.ToValidUTF8(name[:maxText], "")) // A substring would keep the whole.
}

func contextOf(annotations map[string]string) trace.SpanContext {
	carrier := propagation.MapCarrier{"traceparent": annotations[contextAnnotation]}
	// Extract uses the context only for its result.
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

func conditionsOf(object map[string]any) map[string]condition {
	value, _, _ := unstructured.NestedFieldNoCopy(object, "status", "conditions")
	list, _ := value.([]any)
	found := map[string]condition{}
	for _, item := range list {
		c, _ := item.(map[string]any)
		kind, _ := c["type"].(string)
		status, _ := c["status"].(string)
		reason, _ := c["reason"].(string)
		if kind != "" && status != "" && len(found) < maxEntries {
			found[clip(kind)] = condition{clip(status), clip(reason)}
		}
	}
	return found
}

// labelsOf returns the labels of an object; at the bound the first by name.
func labelsOf(u *unstructured.Unstructured) map[string]string {
	labels := u.GetLabels()
	if len(labels) <= maxEntries {
		return labels
	}
	some := map[string]string{} // A map does not shrink.
	for _, key := range slices.Sorted(maps.Keys(labels))[:maxEntries] {
		some[key] = labels[key]
	}
	return some
}

// selectorOf returns the labels that a spec.selector requires; nil if it has none or other rules.
func selectorOf(object map[string]any) map[string]string {
	value, _, _ := unstructured.NestedFieldNoCopy(object, "spec", "selector")
	selector, _ := value.(map[string]any)
	if labels, found := selector["matchLabels"].(map[string]any); found {
		selector = labels
	}
	if len(selector) > maxEntries {
		return nil
	}
	labels := map[string]string{}
	for key, value := range selector {
		text, ok := value.(string)
		if !ok || len(key)+len(text) > 2*maxText {
			return nil
		}
		labels[key] = text
	}
	if len(labels) == 0 {
		return nil
	}
	return labels
}

func (v *version) controller() types.UID {
	for _, o := range v.owners {
		if o.controller {
			return o.uid
		}
	}
	if len(v.owners) > 0 {
		return v.owners[0].uid
	}
	return ""
}

// Change is what a watch delivered about an object.
type Change struct {
	// Deleted is true if the object does not exist any more. Object is its last version then.
	Deleted bool
	Object  *unstructured.Unstructured
	// At is when the watch delivered it.
	At time.Time
	// Listed is true for objects that existed before the watch. They are not writes.
	Listed bool
	// Lost is true if versions before this one may not have been delivered: the watch broke.
	Lost bool
}

// IsEvent reports whether the object is an Event of one of its two APIs.
func (c Change) IsEvent() bool {
	group := c.Object.GroupVersionKind().Group
	return c.Object.GetKind() == "Event" && (group == "" || group == "events.k8s.io")
}

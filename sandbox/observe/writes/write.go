package writes

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Write is a change of one object. The zero value is not a write.
type Write struct {
	Object Object
	// Verb is create, update, update_status, update_{subresource}, apply, apply_status, bind,
	// add_finalizer, remove_finalizer, delete, or remove when the object is gone.
	Verb string
	// Manager is the field manager; empty if managedFields do not name it.
	Manager string
	// Writer is the service.name of the write's span: the manager, or the controller of
	// kube-controller-manager that writes such objects.
	Writer string
	// Before and After are the resourceVersions; Before is 0 for a create. After of a lost remove is
	// of the list that did not have the object any more: the object was removed before.
	Before, After uint64
	Generation    int64
	// At is when a watch delivered the write, but not later than any later write.
	At time.Time
	// Fields are the sorted names of the changed fields, as status.conditions.
	Fields []string
	// Transitions are the conditions that changed, sorted by type.
	Transitions []Transition
	// Lost is true if versions between Before and After may not have been delivered.
	Lost  bool
	Cause Cause
	// Traced is true if the writer traced the write itself, so that it has no span here.
	Traced bool
	// Span is the context of the write's span, or of the nearest one that caused it if the writer
	// traced the write in a span that is not known.
	Span trace.SpanContext

	loop loop
	node string // the node of a Pod
}

// ByUser reports whether no controller is known to have made the write.
func (w *Write) ByUser() bool { return w.loop == (loop{}) }

// Transition is the change of a condition. From is empty for a new condition.
type Transition struct{ Type, From, To, Reason string }

// loop is a controller that reconciles an object. The zero value is a user instead of a loop.
type loop struct {
	manager string
	object  Object
}

// Verbs that have no field manager.
const (
	VerbBind   = "bind"
	VerbDelete = "delete"
	VerbRemove = "remove"
)

// compare returns the write between two versions of an object; before is nil for a create.
func compare(before, after *version, c Change) *Write {
	w := &Write{Object: after.object, After: after.revision, Generation: after.generation, At: c.At, Lost: c.Lost, node: after.node}
	old := &version{}
	if before != nil {
		old = before
		w.Before = before.revision
	}
	w.Fields = changedFields(old.fields, after.fields)
	w.Transitions = transitions(old.conditions, after.conditions)
	if c.Deleted {
		w.Verb, w.Fields, w.Transitions = VerbRemove, nil, nil
		return w
	}
	m, known := changedManager(old.managers, after.managers)
	if name := creatorOf(after); before == nil && name != "" { // Versions after the create may be lost.
		m.name = name
	}
	w.Manager = m.name
	w.Verb = verbOf(before, after, m, known)
	return w
}

func verbOf(before, after *version, m manager, known bool) string {
	switch {
	case before == nil:
		return "create"
	case after.deleting && !before.deleting:
		return VerbDelete
	case after.object.Kind == "Pod" && after.object.Group == "" && before.node == "" && after.node != "":
		return VerbBind
	case known && m.subresource != "":
		return strings.ToLower(m.operation) + "_" + m.subresource
	case known && m.operation == "Apply":
		return "apply"
	case after.finalizers > before.finalizers:
		return "add_finalizer"
	case after.finalizers < before.finalizers:
		return "remove_finalizer"
	case !known && onlyStatus(before, after):
		return "update_status"
	}
	return "update"
}

func onlyStatus(before, after *version) bool {
	changed := changedFields(before.fields, after.fields)
	return len(changed) > 0 && !slices.ContainsFunc(changed, func(f string) bool { return f != "status" && !strings.HasPrefix(f, "status.") })
}

// changedManager returns the manager whose entry changed or, if there is none, whose values did. Of
// several it returns the one with a subresource, because updates of a status rewrite no other entry.
// A Pod's binding changes none.
func changedManager(before, after map[manager]entry) (m manager, found bool) {
	var changed, values []manager
	for m, now := range after {
		old, had := before[m]
		if !had || old.entry != now.entry {
			changed = append(changed, m)
		} else if old.values != now.values {
			values = append(values, m)
		}
	}
	if len(changed) == 0 {
		changed = values
	}
	if len(changed) == 0 {
		return manager{}, false
	}
	slices.SortFunc(changed, func(a, b manager) int {
		// A transfer of fields takes them from another manager's entry, which so changes, too: the
		// new entry is the writer's.
		_, hadA := before[a]
		_, hadB := before[b]
		if hadA != hadB {
			if hadA {
				return 1
			}
			return -1
		}
		return cmp.Or(isUntracked(a)-isUntracked(b), strings.Compare(b.subresource, a.subresource), strings.Compare(a.name, b.name), strings.Compare(a.version, b.version))
	})
	return changed[0], true
}

// isUntracked returns 1 for the entry that the API server adds for fields that had no manager, and 0
// for others.
func isUntracked(m manager) int {
	if m.name == "before-first-apply" {
		return 1
	}
	return 0
}

func changedFields(before, after map[string]uint64) []string {
	var changed []string
	for field, sum := range after {
		if old, had := before[field]; !had || old != sum {
			changed = append(changed, field)
		}
	}
	for field := range before {
		if _, has := after[field]; !has {
			changed = append(changed, field)
		}
	}
	slices.Sort(changed)
	return changed[:min(len(changed), maxFields)]
}

func transitions(before, after map[string]condition) []Transition {
	var found []Transition
	for _, kind := range slices.Sorted(maps.Keys(after)) {
		if now, old := after[kind], before[kind]; now.status != old.status {
			found = append(found, Transition{kind, old.status, now.status, now.reason})
		}
	}
	return found
}

// kubeControllers are the controllers of kube-controller-manager by the kind that they reconcile.
// The names are the names in its option --controllers and in its Events.
var kubeControllers = map[string]string{
	"Deployment": "deployment-controller", "ReplicaSet": "replicaset-controller", "StatefulSet": "statefulset-controller", "DaemonSet": "daemonset-controller",
	"Job": "job-controller", "CronJob": "cronjob-controller", "Service": "endpointslice-controller", "Namespace": "namespace-controller",
	"ServiceAccount": "serviceaccount-controller", "PersistentVolumeClaim": "persistentvolume-binder-controller", "PersistentVolume": "persistentvolume-binder-controller", "HorizontalPodAutoscaler": "horizontal-pod-autoscaler-controller",
	"Node": "node-lifecycle-controller", "PodDisruptionBudget": "disruption-controller", "CertificateSigningRequest": "certificatesigningrequest-signing-controller",
	"Endpoints": "endpoints-controller", "ResourceQuota": "resourcequota-controller",
}

const (
	kubeScheduler = "kube-scheduler"
	// Kubelet is the writer of Pods on their node.
	Kubelet     = "kubelet"
	garbage     = "garbage-collector-controller"
	kubeManager = "kube-controller-manager"
)

// IsKubernetes reports whether a writer is a component of Kubernetes itself, which never records its
// writes.
func IsKubernetes(writer string) bool {
	switch writer {
	case kubeScheduler, Kubelet, garbage, kubeManager:
		return true
	}
	for _, name := range kubeControllers {
		if name == writer {
			return true
		}
	}
	return false
}

// writerOf returns the service of a write's span.
func writerOf(w *Write) string {
	switch {
	case w.Verb == VerbBind:
		return kubeScheduler
	case w.loop.manager == garbage:
		return garbage
	case w.Manager == kubeManager:
		if name := kubeControllers[w.loop.object.Kind]; name != "" {
			return name
		}
	case w.Manager == "" && w.Verb != VerbDelete && w.Object.Kind == "Pod" && w.Object.Group == "" && w.node != "":
		return Kubelet // Without managedFields, and the last delete of a Pod.
	}
	return w.Manager
}

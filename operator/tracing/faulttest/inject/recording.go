package inject

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// RunNamespace stands for the namespace of a run in identities and normalised values.
const RunNamespace = "~"

// Identity names a write or trigger independently of the run.
type Identity struct {
	// Verb is create, update, patch, delete or deletecollection for a write, and ADDED, MODIFIED or
	// DELETED for a trigger.
	Verb        string
	Group       string
	Resource    string
	Subresource string
	// Namespace is RunNamespace, another namespace, or empty for objects without one.
	Namespace string
	// Name is the name of the object. For a generated name it is the prefix and "*".
	Name string
	// Ordinal is the number among the writes or triggers with the same fields above, from 1.
	Ordinal int
}

// String returns a short text, for example "create secrets web-* (2nd)".
func (id Identity) String() string {
	var b strings.Builder
	b.WriteString(id.Verb + " " + id.Resource)
	if id.Group != "" && !strings.HasSuffix(id.Group, ".k8s.io") && id.Group != "apps" && id.Group != "batch" {
		b.WriteString("." + id.Group)
	}
	if id.Subresource != "" {
		b.WriteString("/" + id.Subresource)
	}
	b.WriteString(" ")
	if id.Namespace != RunNamespace && id.Namespace != "" {
		b.WriteString(id.Namespace + "/")
	}
	b.WriteString(id.Name)
	if id.Ordinal > 1 {
		fmt.Fprintf(&b, " (#%d)", id.Ordinal)
	}
	return b.String()
}

// Write is one write of the operator.
type Write struct {
	Identity

	// Index is the number in the recording, from 1.
	Index   int
	Version string // of the API
	// ActualNamespace and ActualName name the object as the API server does.
	ActualNamespace string
	ActualName      string
	GenerateName    string
	// Code is the response code of the API server, or 0 if the write did not reach it.
	Code            int
	UID             string
	ResourceVersion string // of the object after the write
	// NoChange is set if the API server accepted the write, and the object kept its resourceVersion.
	NoChange bool
	// Step is the step of the run, Incarnation the number of restarts before.
	Step        string
	Incarnation int
	Start, End  time.Time
	// Fault is the fault that hit this write, or empty.
	Fault Fault
}

// OK reports whether the API server applied the write.
func (w Write) OK() bool { return w.Code >= 200 && w.Code < 300 }

// String returns the identity and the response code.
func (w Write) String() string {
	code := "not applied"
	if w.Code != 0 {
		code = fmt.Sprint(w.Code)
	}
	return w.Identity.String() + ": " + code
}

// Trigger is one event that a watch of the operator delivered after its initial list.
type Trigger struct {
	Identity

	Index           int // in the recording, from 1
	Version         string
	ActualNamespace string
	ActualName      string
	UID             string
	ResourceVersion string
	Step            string
	// AfterWrite is the number of writes that had started when the event came.
	AfterWrite int
	// Fault is the fault that hit this event, or empty.
	Fault Fault
}

// Resource is a kind of objects in a recording.
type Resource struct {
	schema.GroupVersionResource
	// Namespaced is set if the objects have a namespace.
	Namespaced bool
}

// Recording is what one run of the operator wrote and watched.
type Recording struct {
	// Namespace is the actual namespace of the run, or empty.
	Namespace string
	Writes    []Write
	Triggers  []Trigger
	// Watched are the resources that the operator watches.
	Watched []Resource
	// Stale are the resources of which the operator made reads that may be stale: with the parameter
	// resourceVersion, outside of a watch's initial list.
	Stale []Resource
}

// Resources returns the resources of all writes in a stable order, without duplicates.
func (r *Recording) Resources() []Resource { panic("TODO") }

// Creates returns how many objects the run created, by resource and normalised name.
func (r *Recording) Creates() map[Identity]int { panic("TODO") }

// Describe returns the write or trigger of a plan as text, for messages.
func (r *Recording) Describe(p Plan) string { panic("TODO") }

// SideBySide returns the writes of two runs beside each other, aligned by identity, as text.
func SideBySide(clean, faulty *Recording) string { panic("TODO") }

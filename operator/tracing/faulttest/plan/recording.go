package plan

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
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

// GVR returns the resource of the write.
func (w Write) GVR() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}
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
	// Namespaced is set if an object in a namespace was written.
	Namespaced bool
}

// Recording is what one run of the operator wrote and watched.
type Recording struct {
	// Namespace is the actual namespace of the run, or empty.
	Namespace string
	Writes    []Write
	Triggers  []Trigger
	// Watched are the resources that the operator watched before the first step.
	Watched []Resource
}

// Resources returns the resources of all writes in a stable order, without duplicates. A nil
// Recording has none.
func (r *Recording) Resources() []Resource {
	set := map[Resource]bool{}
	if r != nil {
		for _, w := range r.Writes {
			set[Resource{w.GVR(), w.ActualNamespace != ""}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), Resource.Compare)
}

// Compare orders resources by their text form.
func (r Resource) Compare(other Resource) int {
	return strings.Compare(fmt.Sprint(r), fmt.Sprint(other))
}

// Creates returns the normalised names of the objects that the run created, by resource.
func (r *Recording) Creates() map[schema.GroupResource][]string {
	out := map[schema.GroupResource][]string{}
	for _, w := range r.Writes {
		if w.Created() {
			gr := schema.GroupResource{Group: w.Group, Resource: w.Resource}
			out[gr] = append(out[gr], w.Name)
		}
	}
	return out
}

// Created reports whether the write created an object. An apply creates one with the code 201.
func (w Write) Created() bool {
	return w.Subresource == "" && (w.Verb == "create" && w.OK() || w.Code == http.StatusCreated)
}

// Target returns the identity of a plan's write or trigger. It is zero for other plans.
func (r *Recording) Target(p Plan) (Identity, error) {
	target := p.Fault.Target()
	if target != TargetWrite && target != TargetTrigger {
		return Identity{}, nil
	}
	switch {
	case r != nil && target == TargetWrite && p.Index >= 1 && p.Index <= len(r.Writes):
		return r.Writes[p.Index-1].Identity, nil
	case r != nil && target == TargetTrigger && p.Index >= 1 && p.Index <= len(r.Triggers):
		return r.Triggers[p.Index-1].Identity, nil
	}
	return Identity{}, fmt.Errorf("finding the target of plan %s: %w", p, errNoTarget)
}

// Describe returns the write or trigger of a plan as text, for messages, for example "create
// configmaps web".
func (r *Recording) Describe(p Plan) string {
	id, err := r.Target(p)
	switch {
	case err != nil:
		return err.Error()
	case id == Identity{}:
		return p.String()
	}
	return id.String()
}

// maxLines bounds the writes that SideBySide shows of an operator that writes endlessly.
const maxLines = 200

// SideBySide returns the writes of two runs beside each other, aligned by identity, as text. A line
// with "-" was only in the clean run, and one with "+" only in the other. "!" marks the fault.
func SideBySide(clean, faulty *Recording) string {
	left, right := clean.Writes, faulty.Writes
	more := max(0, len(right)-maxLines)
	right = right[:len(right)-more]
	// The longest common subsequence of the identities.
	length := make([][]int, len(left)+1)
	for i := range length {
		length[i] = make([]int, len(right)+1)
	}
	for i := len(left) - 1; i >= 0; i-- {
		for j := len(right) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if left[i].Identity == right[j].Identity {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, " \tclean\tthis run")
	i, j := 0, 0
	for i < len(left) || j < len(right) {
		switch {
		case i < len(left) && j < len(right) && left[i].Identity == right[j].Identity:
			fmt.Fprintf(w, "%s\t%s\t%s\n", mark(" ", right[j]), left[i], right[j].withFault())
			i, j = i+1, j+1
		case j >= len(right) || i < len(left) && length[i+1][j] >= length[i][j+1]:
			fmt.Fprintf(w, "-\t%s\t\n", left[i])
			i++
		default:
			fmt.Fprintf(w, "%s\t\t%s\n", mark("+", right[j]), right[j].withFault())
			j++
		}
	}
	if more > 0 {
		fmt.Fprintf(w, "+\t\t%d more\n", more)
	}
	w.Flush() //nolint:errcheck // a Builder returns no errors
	return b.String()
}

func mark(otherwise string, w Write) string {
	if w.Fault != "" {
		return "!"
	}
	return otherwise
}

func (w Write) withFault() string {
	if w.Fault != "" {
		return w.String() + " ← " + string(w.Fault)
	}
	return w.String()
}

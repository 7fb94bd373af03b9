package traces

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// mostRemains limits the traces that an error names.
const mostRemains = 3

// remains returns how to read the traces of an object that does not exist, for an error. It is empty
// if Jaeger cannot be asked.
func (r *Reader) remains(ctx context.Context, object Object) string {
	from, err := r.searcher(ctx)
	if err != nil {
		return ""
	}
	defer from.Close()
	services, err := from.Services(ctx)
	if err != nil {
		return ""
	}
	tags := map[string]string{"operator.object.kind": object.Kind.Kind, "operator.object.name": object.Name}
	if object.Namespace != "" {
		tags["k8s.namespace.name"] = object.Namespace
	}
	var found []tracetree.Trace
	for _, service := range services[:min(len(services), mostServices)] {
		some, _ := from.FindTraces(ctx, tracetree.Query{Service: service, Tags: tags}) // The other services can have it.
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b tracetree.Trace) int { return b.End().Compare(a.End()) })
	var ids []string
	for _, trace := range found {
		if !slices.Contains(ids, trace.ID) {
			ids = append(ids, trace.ID)
		}
	}
	if len(ids) == 0 {
		return "; if the object was deleted: Jaeger has no trace of it from the last hour"
	}
	more := ""
	if ids = ids[:min(len(ids), mostRemains)]; len(ids) > 1 {
		more = " (older: " + strings.Join(ids[1:], ", ") + ")"
	}
	return fmt.Sprintf("; if the object was deleted: %s prints its last trace%s", hint.Run("trace", "--id="+ids[0]), more)
}

package up

import (
	"bytes"

	"github.com/operator-tracing/sandbox/sandbox/view"
)

// Labels are the attributes that stand behind spans' names wherever the sandbox shows a trace.
func Labels() []string { return []string{"operator.object.name"} }

// jaegerPage is what Jaeger serves where it is built from source: its Go module has a placeholder for its own page.
func jaegerPage() ([]byte, error) {
	var page bytes.Buffer
	err := view.WriteJaegerPage(&page, view.Options{Labels: Labels()})
	return page.Bytes(), err
}

package install

import (
	"context"
	"errors"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Sample renders the objects that show what an operator does. They are ready when every custom resource of them has come to the
// subject's condition, for its current generation. The subject is not changed.
func Sample(s project.Subject) *Component {
	return newComponent(component.Sample, "", copies(s.Samples))
}

// sampleReady looks at every object of the sample's kind that the sandbox made.
func sampleReady(ctx context.Context, c *Cluster) error {
	kind := c.subject.Kind()
	list, err := objectsOf(ctx, c, component.Sample, kind)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("no sample " + kind.Kind)
	}
	for i := range list {
		if err := c.Came(&list[i]); err != nil {
			return fmt.Errorf("%s: %w", describe(&list[i]), err)
		}
	}
	return nil
}

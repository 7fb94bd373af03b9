package provider

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// A component that hangs takes no time of the others, and its message says why it is not ready.
func TestAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, start := Status{}, time.Now()
		s.Ask(t.Context(), component.On(component.Embedded), func(ctx context.Context, part component.Component) Component {
			if part.Name != component.Jaeger {
				return Component{Name: part.Name, Ready: ctx.Err() == nil}
			}
			<-ctx.Done()
			return Component{Name: part.Name, Message: ctx.Err().Error()}
		})
		if took := time.Since(start); took != AskLimit || len(s.Components) != len(component.On(component.Embedded)) {
			t.Errorf("Ask took %s for %d components, want %s", took, len(s.Components), AskLimit)
		}
		for i, part := range component.On(component.Embedded) {
			c := s.Components[i]
			if c.Name != part.Name || c.Ready != (c.Name != component.Jaeger) {
				t.Errorf("component %d = %+v, want %s", i, c, part.Name)
			}
			if c.Name == component.Jaeger && !strings.Contains(c.Message, "no answer within 15s; it hangs, or this machine is overloaded: ") {
				t.Errorf("message = %q", c.Message)
			}
		}
	})
}

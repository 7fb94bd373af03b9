package observe

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Each question is a request to Jaeger, so the observer asks only about writes that an operator can
// have recorded.
func TestRecordedIsAskedOnlyAboutOperators(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lines string
		want  int
	}{
		"an operator": {"0 1 ADDED Deployment d operator", 1},
		"a user":      {"0 1 MODIFIED Deployment d - deleting=+", 1},
		"controllers, scheduler and kubelet": {`
 0 1 LISTED Deployment d kubectl
 1 2 ADDED ReplicaSet r kube-controller-manager owner=Deployment/d
 2 3 MODIFIED Deployment d kube-controller-manager:status Available=False
 3 4 ADDED Pod p kube-controller-manager owner=ReplicaSet/r
 4 5 MODIFIED Pod p - spec.nodeName=node
 5 6 MODIFIED Pod p kubelet:status Ready=True
`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, asked := newStream(t), 0
			s.observer.options.Recorded = func(context.Context, trace.TraceID) (map[string]trace.SpanContext, error) {
				asked++
				return nil, nil
			}
			if name == "a user" {
				s.play("0 0 LISTED Deployment d operator")
			}
			s.play(test.lines)
			s.observer.Advance(t.Context(), s.last.Add(time.Minute))
			if len(s.spans) == 0 || asked != test.want {
				t.Errorf("asked %d times about %d spans, want %d", asked, len(s.spans), test.want)
			}
		})
	}
}

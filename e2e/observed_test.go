package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// user is the field manager of the writes of these tests, and the service of their spans.
const user = client.FieldOwner("e2e-user")

// TestObservedHead tests that the observer's spans continue the operator's spans, from its writes
// down to the Pod.
func TestObservedHead(t *testing.T) {
	var head *v1alpha1.Head
	newFeature("the whole cluster is in the trace of a Head", needPods).
		assess("from its creation until it is ready", func(ctx context.Context, s *step) {
			var err error
			if head, err = s.CreateHead(ctx, "head", nil); err != nil {
				s.Fatal(err)
			}
			id, _, err := tracetree.TraceIDOf(head.Annotations)
			if err != nil {
				s.Fatal(err)
			}
			observed(ctx, s, head, id, "observed-create."+s.Status.Cluster+".tree", s.ReadyCheck(s.Namespace, head.Name))
		}).
		assess("from its deletion until all that was made for it is gone", func(ctx context.Context, s *step) {
			if err := s.Client.Delete(ctx, head.DeepCopy()); err != nil {
				s.Fatal(err)
			}
			observed(ctx, s, head, harness.GenerationTraceID(head, 2), "observed-delete.tree", s.GoneCheck(s.Namespace, head.Name))
		}).runBeside(t)
}

// TestObservedWithoutLibrary tests an operator without spans: the trace has only spans of the
// observer, and the id that the library derives.
func TestObservedWithoutLibrary(t *testing.T) {
	newFeature("an operator without spans has a trace", needPods).
		assess("it is not traced", func(ctx context.Context, s *step) {
			s.Restore(ctx, 3*time.Minute, "tracing the operator again", func(ctx context.Context) error {
				return errors.Join(s.SetOperatorEnv(ctx, nil), s.WaitAdmission(ctx))
			})
			// The webhook writes no context now, so the test cannot detect whether it admits.
			if err := s.SetOperatorEnv(ctx, map[string]string{harness.DisabledVariable: "true"}); err != nil {
				s.Fatal(err)
			}
		}).
		assess("a new Head has a trace, from its creation until it is ready", func(ctx context.Context, s *step) {
			head := harness.NewHead(s.Namespace, "head")
			if err := s.Client.Create(ctx, head, user); err != nil {
				s.Fatal(err)
			}
			observed(ctx, s, head, harness.GenerationTraceID(head, 1), "observed-untraced."+s.Status.Cluster+".tree", s.ReadyCheck(s.Namespace, head.Name))
		}).run(t)
}

const certificate = `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web}
spec: {secretName: web-tls, dnsNames: [web.example], issuerRef: {name: self-signed}}
`

const issuer = `
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self-signed}
spec: {selfSigned: {}}
`

// TestObservedCertificate tests cert-manager, which does not use this project. Each of its
// controllers is a service.
func TestObservedCertificate(t *testing.T) {
	newFeature("a Certificate of cert-manager has a trace", needAPIServer).
		assess("an Issuer is ready", func(ctx context.Context, s *step) {
			object := create(ctx, s, issuer)
			err := harness.Eventually(ctx, harness.ReadyLimit, "the Issuer to be ready", func(ctx context.Context) error {
				is, err := reached(s, object)(ctx)
				if err == nil && !is.Ready {
					err = errors.New(is.State)
				}
				return err
			})
			if err != nil {
				s.Fatal(err)
			}
		}).
		assess("a new Certificate has a trace, from its creation until it is ready", func(ctx context.Context, s *step) {
			object := create(ctx, s, certificate)
			id := harness.GenerationTraceID(object, 1)
			order, err := firstReaction(ctx, s, id, "cert-manager-certificates-readiness", "cert-manager-certificates-trigger")
			if err != nil {
				s.Fatal(err)
			}
			if _, err := s.WaitObserved(ctx, object, id, "observed-certificate.tree", order, reached(s, object)); err != nil {
				s.Fatal(err)
			}
		}).runBeside(t)
}

func observed(ctx context.Context, s *step, object client.Object, traceID, golden string, settled harness.ReadinessCheck) {
	s.Helper()
	if _, err := s.WaitObserved(ctx, object, traceID, golden, nil, settled); err != nil {
		s.Fatal(err)
	}
}

// firstReaction waits for the first reaction in a trace, which is a or b, and returns the values of
// $FIRST and $SECOND.
func firstReaction(ctx context.Context, s *step, traceID, a, b string) (order map[string]string, err error) {
	err = harness.Eventually(ctx, harness.ReadyLimit, "the first reaction", func(ctx context.Context) error {
		trace, err := s.Observed.GetTrace(ctx, traceID)
		if err != nil {
			return err
		}
		for _, root := range trace.Forest().Roots {
			for _, child := range root.Children {
				switch child.Span.Service {
				case a:
					order = map[string]string{"FIRST": a, "SECOND": b}
				case b:
					order = map[string]string{"FIRST": b, "SECOND": a}
				}
			}
		}
		if order == nil {
			return errors.New("it is not in the trace")
		}
		return nil
	})
	return order, err
}

// create creates an object in the fixture's namespace.
func create(ctx context.Context, s *step, manifest string) *unstructured.Unstructured {
	s.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		s.Fatal(err)
	}
	object.SetNamespace(s.Namespace)
	if err := s.Client.Create(ctx, object, user); err != nil {
		s.Fatal(err)
	}
	return object
}

// reached reports whether an object has the condition Ready.
func reached(s *step, object *unstructured.Unstructured) harness.ReadinessCheck {
	return func(ctx context.Context) (tracetree.Readiness, error) {
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return tracetree.Readiness{}, err
		}
		list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		is := tracetree.Readiness{State: "no condition Ready", Since: tracetree.LastWrite(object)}
		for _, item := range list {
			if c, _ := item.(map[string]any); c["type"] == "Ready" {
				is.Ready, is.State = c["status"] == "True", fmt.Sprintf("Ready is %v: %v", c["status"], c["message"])
			}
		}
		return is, nil
	}
}

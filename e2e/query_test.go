package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

// queries has a trace from both query interfaces of Jaeger. It omits the observer's spans, which
// can still arrive.
type queries struct {
	created creation
	http    *jaeger.Client
}

func TestQueryInterfaces(t *testing.T) {
	client, err := jaeger.Dial(suite.Cluster.Status.Jaeger.UI, jaeger.WithoutScopes(observe.Scope))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	q := &queries{http: client}
	f := newFeature("api_v2 and api_v3 return the same, and a kept trace loads again", needPods)
	q.created.assess(f).
		assess("the spans over HTTP are those over gRPC", q.sameSpans).
		assess("searches by tags find the same", q.sameSearch).
		assess("services and operations are the same", q.sameLists).
		assess("the trace loads again from its JSON", q.loadAgain).
		assess("the page refuses the Host of another site", refusesHosts).
		runBeside(t)
}

func (q *queries) sameSpans(ctx context.Context, s *step) {
	trace, err := q.http.GetTrace(ctx, q.created.trace.ID)
	if err != nil {
		s.Fatal(err)
	}
	// Only one of the interfaces has the attributes of links.
	if diff := cmp.Diff(sorted(q.created.trace), sorted(trace), cmpopts.IgnoreFields(spantree.Link{}, "Attributes")); diff != "" {
		s.Errorf("spans (-gRPC +HTTP):\n%s", diff)
	}
}

func (q *queries) sameSearch(ctx context.Context, s *step) {
	query := tracetree.Query{
		Service: harness.Service, Operation: "admit Head", Limit: 1000, MaxDuration: time.Minute,
		Tags: map[string]string{"operator.object.name": q.created.head.Name, "k8s.namespace.name": q.created.head.Namespace},
	}
	for name, client := range map[string]*jaeger.Client{"gRPC": s.Jaeger, "HTTP": q.http} {
		traces, err := client.FindTraces(ctx, query)
		if err != nil {
			s.Fatal(err)
		}
		if len(traces) != 1 || traces[0].ID != q.created.trace.ID {
			s.Errorf("%s finds %d traces, want only %s", name, len(traces), q.created.trace.ID)
		}
	}
}

func (q *queries) sameLists(ctx context.Context, s *step) {
	for what, list := range map[string]func(*jaeger.Client) (any, error){
		"services":   func(c *jaeger.Client) (any, error) { return c.Services(ctx) },
		"operations": func(c *jaeger.Client) (any, error) { return c.Operations(ctx, harness.Service) },
	} {
		// Another test can add traces between the two calls.
		err := harness.Eventually(ctx, 5*time.Second, what+" to be the same", func(context.Context) error {
			overGRPC, err := list(s.Jaeger)
			if err != nil {
				return err
			}
			overHTTP, err := list(q.http)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(overGRPC, overHTTP); diff != "" {
				return fmt.Errorf("%s (-gRPC +HTTP):\n%s", what, diff)
			}
			return nil
		})
		if err != nil {
			s.Error(err)
		}
	}
}

// A page of another site can resolve its own name to this machine (DNS rebinding). Only the Host
// header shows that.
func refusesHosts(ctx context.Context, s *step) {
	for host, want := range map[string]int{"": http.StatusOK, "localhost": http.StatusOK, "evil.example": http.StatusMisdirectedRequest} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Status.Jaeger.UI+"/api/v3/services", nil)
		if err != nil {
			s.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			s.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			s.Errorf("status with Host %q = %d, want %d", host, response.StatusCode, want)
		}
	}
}

// loadAgain sends the artifacts' trace with another id, as if it came from another Jaeger.
func (q *queries) loadAgain(ctx context.Context, s *step) {
	trace, err := q.http.GetTrace(ctx, q.created.trace.ID)
	if err != nil {
		s.Fatal(err)
	}
	data, err := trace.JSON()
	if err != nil {
		s.Fatal(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // It never fails.
	data = bytes.ReplaceAll(data, []byte(trace.ID), []byte(hex.EncodeToString(id)))
	kept, err := tracetree.ReadOTLP("the kept trace", data)
	if err != nil {
		s.Fatal(err)
	}
	sender, err := jaeger.DialOTLP(s.Status.Jaeger.OTLPGRPC)
	if err != nil {
		s.Fatal(err)
	}
	defer sender.Close()
	if err := sender.Send(ctx, kept[0]); err != nil {
		s.Fatal(err)
	}
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := jaeger.WaitStored(within, s.Jaeger, kept[0], 0); err != nil {
		s.Fatal(err)
	}
	loaded, err := s.Jaeger.GetTrace(ctx, kept[0].ID)
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(sorted(kept[0]), sorted(loaded)); diff != "" {
		s.Errorf("spans (-kept +loaded):\n%s", diff)
	}
}

package observe

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "write testdata/*.tree")

// head is what a watch delivered of a Head of the reference operator (docs/observing.md).
const head = `
  0.0 2088 ADDED Head h kubectl
 16.4 2089 ADDED ChildA a operator owner=Head/h
 33.3 2090 MODIFIED Head h operator:status Ready=False
 46.0 2091 ADDED Deployment d operator owner=ChildA/a
 53.8 2092 ADDED ReplicaSet r kube-controller-manager owner=Deployment/d
 78.6 2094 MODIFIED Deployment d kube-controller-manager:status Progressing=True
 97.0 2096 MODIFIED ChildA a operator:status Ready=False
 99.4 2097 MODIFIED Deployment d kube-controller-manager:status Available=False
110.5 2095 ADDED Pod p kube-controller-manager owner=ReplicaSet/r
114.8 2098 MODIFIED ReplicaSet r kube-controller-manager:status status.replicas=1
135.1 2099 MODIFIED Pod p - spec.nodeName=node PodScheduled=True
146.8 2101 MODIFIED ReplicaSet r kube-controller-manager:status status.replicas=2
173.4 2105 MODIFIED Pod p kubelet:status Initialized=True
539.3 2108 MODIFIED Pod p kubelet:status PodReadyToStartContainers=True
705.1 2112 MODIFIED Pod p kubelet:status Ready=True
717.3 2113 MODIFIED ReplicaSet r kube-controller-manager:status status.ready=1
720.4 2114 MODIFIED Deployment d kube-controller-manager:status Available=True
806.1 2115 MODIFIED ChildA a operator:status Ready=True
888.9 2116 MODIFIED Head h operator:status Ready=True
`

const certificate = `
  0.0 17269 ADDED Issuer ss kubectl
 10.2 17270 MODIFIED Issuer ss cert-manager-issuers:status Ready=True
 25.6 17271 ADDED Certificate web kubectl spec.secretName=web-tls spec.issuerRef.name=ss
 58.9 17272 MODIFIED Certificate web cert-manager-certificates-readiness:status Ready=False
 72.6 17274 MODIFIED Certificate web cert-manager-certificates-trigger:status Issuing=True
142.5 17276 ADDED Secret web-xwftx cert-manager-certificates-key-manager owner=Certificate/web
167.4 17277 MODIFIED Certificate web cert-manager-certificates-key-manager:status status.nextPrivateKeySecretName=web-xwftx
180.1 17279 ADDED CertificateRequest web-1 cert-manager-certificates-request-manager owner=Certificate/web spec.issuerRef.name=ss
277.3 17283 MODIFIED CertificateRequest web-1 cert-manager-certificaterequests-approver:status Approved=True
303.5 17288 MODIFIED CertificateRequest web-1 cert-manager-certificaterequests-issuer-selfsigned:status Ready=True
317.9 17289 ADDED Secret web-tls cert-manager-certificates-issuing
319.9 17290 MODIFIED Certificate web cert-manager-certificates-issuing:status status.revision=1
345.7 17292 DELETED Secret web-xwftx -
378.5 17293 MODIFIED Certificate web cert-manager-certificates-readiness:status Ready=True
`

func TestCauses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ stream, want string }{
		"Head": {head, `
kubectl create Head@2088
operator create ChildA@2089 <- same Head@2088
operator update_status Head@2090 <- same Head@2088
operator create Deployment@2091 <- same ChildA@2089
deployment-controller create ReplicaSet@2092 <- same Deployment@2091
deployment-controller update_status Deployment@2094 <- same Deployment@2091
replicaset-controller create Pod@2095 <- same ReplicaSet@2092
operator update_status ChildA@2096 <- owner Deployment@2094
deployment-controller update_status Deployment@2097 <- same Deployment@2091
replicaset-controller update_status ReplicaSet@2098 <- same ReplicaSet@2092
kube-scheduler bind Pod@2099 <- same Pod@2095
replicaset-controller update_status ReplicaSet@2101 <- owner Pod@2099
kubelet update_status Pod@2105 <- same Pod@2099
kubelet update_status Pod@2108 <- sequence Pod@2105
kubelet update_status Pod@2112 <- sequence Pod@2108
replicaset-controller update_status ReplicaSet@2113 <- owner Pod@2112
deployment-controller update_status Deployment@2114 <- owner ReplicaSet@2113
operator update_status ChildA@2115 <- owner Deployment@2114
operator update_status Head@2116 <- owner ChildA@2115
`},
		"Certificate": {certificate, `
kubectl create Issuer@17269
cert-manager-issuers update_status Issuer@17270 <- same Issuer@17269
kubectl create Certificate@17271
cert-manager-certificates-readiness update_status Certificate@17272 <- same Certificate@17271
cert-manager-certificates-trigger update_status Certificate@17274 <- same Certificate@17272
cert-manager-certificates-key-manager create Secret@17276 <- same Certificate@17274
cert-manager-certificates-key-manager update_status Certificate@17277 <- same Certificate@17274
cert-manager-certificates-request-manager create CertificateRequest@17279 <- same Certificate@17277
cert-manager-certificaterequests-approver update_status CertificateRequest@17283 <- same CertificateRequest@17279
cert-manager-certificaterequests-issuer-selfsigned update_status CertificateRequest@17288 <- same CertificateRequest@17283
cert-manager-certificates-issuing create Secret@17289 <- owner CertificateRequest@17288
cert-manager-certificates-issuing update_status Certificate@17290 <- owner CertificateRequest@17288
 remove Secret@17292 <- same Certificate@17290
cert-manager-certificates-readiness update_status Certificate@17293 <- owner Secret@17292
`},
		"the user changes a dependent": {`
   0.0 1 LISTED Head h kubectl
   0.0 2 LISTED ChildA a operator owner=Head/h
   0.0 3 LISTED Deployment d operator owner=ChildA/a
  10.0 5 MODIFIED Deployment d kubectl-edit spec.replicas=2 generation=+
  20.0 6 MODIFIED Deployment d operator spec.replicas=1 generation=+
  30.0 7 MODIFIED ChildA a operator:status Ready=False
`, `
kubectl-edit update Deployment@5
operator update Deployment@6 <- owner Deployment@5
operator update_status ChildA@7 <- owner Deployment@5
`},
		"the user deletes an object with a finalizer": {`
   0.0 1 LISTED Head h kubectl
   0.0 2 LISTED ChildA a operator owner=Head/h
  10.0 4 MODIFIED Head h - deleting=+ generation=+
  20.0 5 MODIFIED Head h operator:status Ready=False
  30.0 6 DELETED Head h operator
  40.0 7 DELETED ChildA a -
`, `
 delete Head@4
operator update_status Head@5 <- same Head@4
 remove Head@6 <- same Head@5
garbage-collector-controller remove ChildA@7 <- same Head@6
`},
		"a requeue": {`
   0.0 1 ADDED Head h kubectl
  10.0 2 MODIFIED Head h operator:status Ready=False
33010.0 3 MODIFIED Head h operator:status Ready=True
`, `
kubectl create Head@1
operator update_status Head@2 <- same Head@1
operator update_status Head@3 <- sequence Head@2
`},
		"the operator deletes a dependent of an object that is being deleted": {`
   0.0 1 LISTED Head h kubectl
   0.0 2 LISTED ChildA a operator owner=Head/h
  10.0 4 MODIFIED Head h - deleting=+ generation=+
  20.0 5 DELETED ChildA a -
  30.0 6 DELETED Head h -
`, `
 delete Head@4
 remove ChildA@5 <- same Head@4
 remove Head@6 <- owner ChildA@5
`},
		"managedFields are stripped": {`
   0.0 1 ADDED Head h -
  10.0 2 ADDED ChildA a - owner=Head/h
  20.0 3 MODIFIED ChildA a - Ready=True
  30.0 4 MODIFIED Head h - Ready=True
`, `
 create Head@1
 create ChildA@2 <- same Head@1
 update_status ChildA@3 <- same ChildA@2
 update_status Head@4 <- owner ChildA@3
`},
		"the watch of one kind is slow": {`
   0.0 1 ADDED Head h kubectl
  30.0 3 MODIFIED Head h operator:status Ready=False
  35.0 2 ADDED ChildA a operator owner=Head/h
`, `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status Head@3 <- same Head@1
`},
		"an object is created again": {`
   0.0 1 ADDED Head h kubectl
   1.0 2 DELETED Head h -
   2.0 3 ADDED Head h kubectl
   3.0 4 MODIFIED Head h operator:status Ready=True
`, `
kubectl create Head@1
 remove Head@2
kubectl create Head@3
operator update_status Head@4 <- same Head@3
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t)
			s.wantCauses(test.stream, test.want)
		})
	}
}

// The streams' trees are in testdata.
func TestSpans(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-"
	for name, lines := range map[string]string{
		"head":        head,
		"certificate": certificate,
		// The library's contexts are the parents, and its writes have no spans here.
		"head-joined": strings.NewReplacer(
			"ADDED Head h kubectl", "ADDED Head h kubectl context="+trace+"00000000000000aa-01",
			"ADDED ChildA a operator", "ADDED ChildA a operator context="+trace+"00000000000000bb-01",
			"ADDED Deployment d operator", "ADDED Deployment d operator context="+trace+"00000000000000cc-01").Replace(head),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t)
			s.play(lines)
			s.end()
			file := filepath.Join("testdata", name+".tree")
			if *update {
				if err := os.WriteFile(file, []byte(s.tree()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), s.tree()); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

// Spans whose export failed are exported again, a second later.
func TestExportAgain(t *testing.T) {
	t.Parallel()
	var exported []int
	failures := 0
	o := New(Options{
		Export: func(_ context.Context, traces ptrace.Traces) error {
			if exported = append(exported, traces.SpanCount()); len(exported) == 1 {
				return errors.New("down")
			}
			return nil
		},
		Failed: func(error) { failures++ },
	})
	s := &stream{t: t, observer: o, objects: map[string]*unstructured.Unstructured{}, start: time.Unix(1_000_000, 0)}
	s.play("0 1 ADDED Head h kubectl\n1 2 MODIFIED Head h operator:status Ready=True")
	for _, after := range []time.Duration{1500 * time.Millisecond, 2 * time.Second, 2500 * time.Millisecond, time.Minute} {
		o.Advance(t.Context(), s.start.Add(after))
	}
	if diff := cmp.Diff([]int{2, 2}, exported); diff != "" || failures != 1 {
		t.Errorf("exported %v with %d failures, want two spans twice and one failure", exported, failures)
	}
}

// A write of an operator that traces its writes waits for the operator's span, and later spans of its
// trace with it: their parent would be one that is never sent.
func TestLateRecord(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		recorded time.Duration // after which the operator's second span is found
		want     []string
	}{
		"in time": {recorded: 2500 * time.Millisecond, want: []string{"create Head", "update_status Head <- operator's 3"}},
		"never":   {recorded: time.Hour, want: []string{"create Head", "update_status ChildA <- operator's 2", "update_status Head <- observer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now time.Duration
			var sent []string
			var progress []uint64
			o := New(Options{
				ExportDelay: 500 * time.Millisecond,
				Recorded: func(_ context.Context, id trace.TraceID) (map[string]trace.SpanContext, error) {
					own := func(span byte) trace.SpanContext {
						return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{span}})
					}
					found := map[string]trace.SpanContext{"2": own(2)}
					if now >= test.recorded {
						found["3"] = own(3)
					}
					return found, nil
				},
				Export: func(_ context.Context, traces ptrace.Traces) error {
					for _, resource := range traces.ResourceSpans().All() {
						for _, span := range resource.ScopeSpans().At(0).Spans().All() {
							line := span.Name()
							switch parent := trace.SpanID(span.ParentSpanID()); {
							case parent == trace.SpanID{2} || parent == trace.SpanID{3}:
								line += fmt.Sprintf(" <- operator's %d", parent[0])
							case parent.IsValid():
								line += " <- observer"
							}
							sent = append(sent, line)
						}
					}
					return nil
				},
				Exported: func(revision uint64) { progress = append(progress, revision) },
			})
			s := &stream{t: t, observer: o, objects: map[string]*unstructured.Unstructured{}, start: time.Unix(1_000_000, 0)}
			s.play("0 1 ADDED Head h kubectl\n100 2 ADDED ChildA a operator owner=Head/h\n1500 3 MODIFIED ChildA a operator:status Ready=True\n1600 4 MODIFIED Head h other:status Ready=True")
			for now = 1700 * time.Millisecond; now < 10*time.Second; now += 50 * time.Millisecond {
				o.Advance(t.Context(), s.start.Add(now))
			}
			slices.Sort(sent)
			if diff := cmp.Diff(test.want, sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]uint64{2, 4}, progress); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

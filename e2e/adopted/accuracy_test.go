package adopted

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/e2e/causes"
	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const (
	// minAccuracy is the share of causes that an observer must find which has only the object stream.
	minAccuracy = 0.97
	// singles is the number of objects that are created, changed, repaired and deleted one by one, and
	// together of objects that are created at once.
	singles  = 5
	together = 50
	// settled is how long nothing is written after a change, settleLimit the limit of the wait.
	settled     = time.Second
	settleLimit = 2 * time.Minute
)

// adopter is an operator in the library's tests.
type adopter struct {
	folder, patch, service string
	// object is what a user creates, and change a merge patch of it. The operator owns an object of the
	// kind dependent with the same name. golden is the expected tree of its creation in the folder testdata
	// of e2e, with the observer's spans.
	object, change, golden string
	dependent              schema.GroupVersionKind
}

var adopters = map[string]adopter{
	"one controller": {
		folder: "adopter", patch: "adopter.patch", service: "cache-operator",
		object:    `{apiVersion: cache.example.com/v1alpha1, kind: Cache, spec: {replicas: 1, image: "` + component.Pause + `"}}`,
		change:    `{"spec": {"replicas": 2}}`,
		golden:    "observed-cache.embedded.tree",
		dependent: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
	},
	"three controllers": {
		folder: "multigroup", patch: "multigroup.patch", service: "shop-operator",
		object:    `{apiVersion: shop.example.com/v1, kind: Store, spec: {city: Paris}}`,
		change:    `{"spec": {"city": "Rome"}}`,
		golden:    "observed-store.tree",
		dependent: schema.GroupVersionKind{Group: "storage.example.com", Version: "v1", Kind: "Shelf"},
	},
}

// TestAccuracyOfCauses runs the adopters beside a sandbox. An observer that knows nothing of the library
// finds the causes that the library records. The floor is for all adopters together: the 200 writes of
// one are so few that a busy machine, on which events come late, moves its share by percents.
func TestAccuracyOfCauses(t *testing.T) {
	s := sandbox(t)
	must(s, upLimit, "up")
	var all causes.Result
	for name, a := range adopters {
		t.Run(name, func(t *testing.T) {
			part := &rig.Sandbox{T: t, Name: s.Name, Dir: s.Dir, Env: s.Env}
			result := newExperiment(part, a).run()
			all.Equal += result.Equal
			all.Merged += result.Merged
			all.Misses = append(all.Misses, result.Misses...)
		})
	}
	if all.Share() < minAccuracy {
		t.Errorf("%.1f %% of the causes are the recorded ones, want at least %.0f %%", 100*all.Share(), 100*minAccuracy)
	}
}

// experiment is an adopter that runs.
type experiment struct {
	*rig.Sandbox
	adopter

	client    client.Client
	namespace string
	recording *causes.Recording
}

// newExperiment installs an adopter's kinds, and starts it as a process of this machine.
func newExperiment(s *rig.Sandbox, a adopter) *experiment {
	s.T.Helper()
	e := &experiment{Sandbox: s, adopter: a, namespace: a.folder}
	kubeconfig := s.WantUp().Kubeconfig
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err == nil {
		e.client, err = client.New(config, client.Options{})
	}
	if err != nil {
		s.T.Fatal(err)
	}
	p := adoptIn(s.T, a.folder, a.patch)
	definitions, err := filepath.Glob(filepath.Join(p.folder, "config/crd/bases/*.yaml"))
	for _, file := range definitions {
		text, readErr := os.ReadFile(file)
		if readErr != nil {
			s.T.Fatal(readErr)
		}
		e.create(string(text), "")
	}
	if err != nil {
		s.T.Fatal(err)
	}
	e.createNamespace()
	e.start(p, kubeconfig)
	if e.recording, err = causes.Start(context.WithoutCancel(s.T.Context()), config); err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() {
		if err := e.recording.Stop(); err != nil {
			s.T.Error(err)
		}
	})
	return e
}

func (e *experiment) createNamespace() {
	e.T.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}}
	if err := e.client.Create(e.T.Context(), namespace); err != nil {
		e.T.Fatal(err)
	}
}

// start builds and starts the operator, which ends with the test. Its name is its field manager. Its
// webhooks are not installed, but need a certificate.
func (e *experiment) start(p *project, kubeconfig string) {
	e.T.Helper()
	program := filepath.Join(p.folder, e.service)
	p.run("GOWORK="+filepath.Join(p.folder, "../go.work"), "go", "build", "-trimpath", "-o", program, "./cmd")
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		e.T.Fatal(err)
	}
	for name, data := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(p.folder, name), data, 0o600); err != nil {
			e.T.Fatal(err)
		}
	}
	args := []string{"--health-probe-bind-address=127.0.0.1:0"}
	if e.folder == "multigroup" {
		args = []string{"--webhook-cert-path=" + p.folder, fmt.Sprintf("--webhook-port=%d", freePort(e.T))}
	}
	cmd := exec.CommandContext(e.T.Context(), program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+e.WantUp().Jaeger[component.OTLPGRPC], "OTEL_BSP_SCHEDULE_DELAY=200")
	log, err := os.Create(filepath.Join(p.folder, "operator.log"))
	if err != nil {
		e.T.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		e.T.Fatal(err)
	}
	e.T.Cleanup(func() {
		_ = cmd.Wait() // The end of the test's context has ended it.
		if text, err := os.ReadFile(log.Name()); e.T.Failed() {
			e.T.Logf("log of %s: %v\n%s", e.service, err, text)
		}
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// create creates an object, as soon as its kind is served.
func (e *experiment) create(manifest, name string) *unstructured.Unstructured {
	e.T.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		e.T.Fatal(err)
	}
	if name != "" {
		object.SetNamespace(e.namespace)
		object.SetName(name)
	}
	var err error
	defer func() {
		if err != nil {
			e.T.Log(err)
		}
	}()
	e.Wait(settleLimit, "the creation of "+name, func() bool {
		err = e.client.Create(e.T.Context(), object, client.FieldOwner("e2e-user"))
		return err == nil
	})
	return object
}

// run makes changes one after the other, then many at once, and compares the causes.
func (e *experiment) run() causes.Result {
	e.T.Helper()
	for i := range singles {
		name := fmt.Sprintf("single-%d", i)
		var created *unstructured.Unstructured
		e.settle("created", func() { created = e.create(e.object, name) })
		if i == 0 {
			e.wantTree(created)
		}
		e.settle("changed", func() {
			e.must(e.client.Patch(e.T.Context(), e.named(name), client.RawPatch(client.Merge.Type(), []byte(e.change))))
		})
		e.settle("repaired", func() {
			dependent := &unstructured.Unstructured{}
			dependent.SetGroupVersionKind(e.dependent)
			dependent.SetNamespace(e.namespace)
			dependent.SetName(name)
			e.must(e.client.Delete(e.T.Context(), dependent, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		})
		e.settle("deleted", func() { e.must(e.client.Delete(e.T.Context(), e.named(name))) })
	}
	e.settle("created together", func() {
		for i := range together {
			e.create(e.object, fmt.Sprintf("load-%d", i))
		}
	})
	return e.compare()
}

// wantTree waits until the trace of a created object is as expected: the operator's spans, and for the writes
// of other controllers the observer's.
func (e *experiment) wantTree(created *unstructured.Unstructured) {
	e.T.Helper()
	tree, err := harness.Golden(e.golden, map[string]string{"HEAD": created.GetName(), "NAMESPACE": e.namespace})
	e.must(err)
	reader, err := jaeger.Dial(e.WantUp().Jaeger[component.Query])
	e.must(err)
	defer reader.Close()
	var result *spantree.Result
	defer func() {
		if result == nil || !result.OK() {
			e.T.Log(err, result.Explain())
		}
	}()
	e.Wait(settleLimit, "the trace of "+e.golden, func() bool {
		var trace tracetree.Trace
		if trace, err = reader.GetTrace(e.T.Context(), harness.GenerationTraceID(created, 1)); err == nil {
			result = spantree.Match(tree, trace.Forest())
		}
		return err == nil && result.OK()
	})
}

func (e *experiment) must(err error) {
	e.T.Helper()
	if err != nil {
		e.T.Fatal(err)
	}
}

// named returns the user's object without its fields.
func (e *experiment) named(name string) *unstructured.Unstructured {
	e.T.Helper()
	object := &unstructured.Unstructured{}
	e.must(yaml.Unmarshal([]byte(e.object), &object.Object))
	delete(object.Object, "spec")
	object.SetNamespace(e.namespace)
	object.SetName(name)
	return object
}

// settle changes objects, and waits until nothing is written any more.
func (e *experiment) settle(what string, change func()) {
	e.T.Helper()
	start := time.Now()
	change()
	e.Wait(settleLimit, "quiet after objects were "+what, func() bool { return e.recording.Quiet(e.namespace, start, settled) })
}

func (e *experiment) compare() causes.Result {
	e.T.Helper()
	reader, err := jaeger.Dial(e.WantUp().Jaeger[component.Query])
	e.must(err)
	defer reader.Close()
	var result causes.Result
	defer func() {
		e.T.Log(result, err)
	}()
	e.Wait(settleLimit, "the operator's spans", func() bool {
		var traces []tracetree.Trace
		traces, err = reader.FindTraces(e.T.Context(), tracetree.Query{Service: e.service, Limit: 1000})
		if err == nil {
			result, err = e.recording.Compare(e.namespace, e.service, traces)
		}
		return err == nil
	})
	return result
}

package session

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// everything returns options in which every option is set that some kinds of cluster do not use.
func everything(kind string) Options {
	on := true
	o := Options{
		Name: "a", StateDir: "/b", Cluster: kind, Images: "registry",
		Provider: "podman", Bundle: "a.tar", Context: "kind-mine", Kubeconfig: "/c", Registry: "r.example/x", JaegerEndpoint: "j.example:4317",
		JaegerQuery: "http://j.example", JaegerConfig: "jaeger.yaml", OperatorReplicas: 3, ControlPlaneTracing: &on,
	}
	for i, p := range component.AllPorts() {
		o.Ports = o.Ports.With(p.Name, 5000+i)
	}
	o.setDefaults()
	return o
}

func TestOptionsByKindOfCluster(t *testing.T) {
	t.Parallel()
	existing := []string{"context", "kubeconfig", "registry", "jaeger-endpoint", "jaeger-query"}
	unused := map[string][]string{
		component.Kind:     existing,
		component.Embedded: slices.Concat([]string{"provider", "jaeger-config", "operator-replicas"}, existing),
		component.Existing: {"provider", "bundle", "control-plane-tracing", "jaeger-ui-port", "jaeger-query-port", "otlp-grpc-port", "otlp-http-port", "thrift-port"},
	}
	if runtime.GOOS != "linux" {
		unused[component.Embedded] = append(unused[component.Embedded], "images")
	}
	for kind, names := range unused {
		for _, u := range uses {
			t.Run(kind+" "+u.option, func(t *testing.T) {
				t.Parallel()
				o := everything(kind)
				o.Origins = settings.Origins{}
				for _, other := range uses {
					if other.option != u.option {
						o.Origins[other.option] = "SANDBOX_OTHER"
					}
				}
				value, _ := u.field(&o)
				want := ""
				if slices.Contains(names, u.option) {
					want = fmt.Sprintf("--cluster=%s --%s=%s", kind, u.option, value)
				}
				_, err := o.fit(kind)
				var mistake *settings.Error
				if got := ""; errors.As(err, &mistake) {
					got = fmt.Sprintf("%s %s", mistake.Options[0], mistake.Options[1])
					if got != want {
						t.Errorf("--%s on the command line: error %v, want %q", u.option, err, want)
					}
				} else if err != nil || want != "" {
					t.Errorf("--%s on the command line: error %v, want %q", u.option, err, want)
				}

				o.Origins[u.option] = "options.yaml:1"
				fitted, err := o.fit(kind)
				if err != nil {
					t.Fatalf("options of a file: %v", err)
				}
				if got, _ := u.field(&fitted); (got == "") != (want != "") {
					t.Errorf("--%s of a file has the value %q, want it ignored: %t", u.option, got, want != "")
				}
			})
		}
	}
}

func TestIgnoredOptionsGetTheirDefaults(t *testing.T) {
	t.Parallel()
	o := everything(component.Existing)
	o.Origins = settings.Origins{}
	for _, u := range uses {
		o.Origins[u.option] = "SANDBOX_X"
	}
	got, err := o.fit(component.Existing)
	want := o
	want.Provider, want.Bundle, want.ControlPlaneTracing = "auto", "", nil
	want.Ports = nil
	if got.Ports.Chosen() {
		t.Errorf("ports %v, want none", got.Ports)
	}
	got.Ports = nil
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, options (-want +got):\n%s", err, diff)
	}
}

// Values that mean the same for every kind of cluster are valid.
func TestNeutralValuesFitEveryKindOfCluster(t *testing.T) {
	t.Parallel()
	off := false
	for _, kind := range []string{component.Kind, component.Embedded, component.Existing} {
		o := Options{Cluster: kind, Provider: "auto", Images: "source", JaegerConfig: NoJaegerConfig, OperatorReplicas: 1, ControlPlaneTracing: &off}
		if got, err := o.Complete(); err != nil || got.ControlPlaneTracing != &off || got.JaegerConfig != NoJaegerConfig {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
}

// Values that are ignored are not checked either.
func TestInvalidValuesForAnotherKindOfCluster(t *testing.T) {
	t.Parallel()
	o := Options{Cluster: component.Embedded, Provider: "lxc", JaegerQuery: "x", Origins: settings.Origins{"provider": "SANDBOX_PROVIDER", "jaeger-query": "a.yaml:1"}}
	if _, err := o.Complete(); err != nil {
		t.Error(err)
	}
	o.Cluster = component.Kind
	if _, err := o.Complete(); err == nil || o.Origins.Explain(err).Error() != "--provider=lxc: use auto, docker, podman, nerdctl (--provider comes from SANDBOX_PROVIDER)" {
		t.Errorf("kind: error %v", err)
	}
}

// The record of a sandbox that is up decides as --cluster does, as soon as the lock is held.
func TestOptionsOfASandboxThatIsUp(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{component.Kind: "a.tar", component.Embedded: "a.tar", component.Existing: ""} {
		options := Options{StateDir: t.TempDir(), Bundle: "a.tar", Origins: settings.Origins{"bundle": "SANDBOX_BUNDLE"}}
		dir, err := state.Open(options.StateDir)
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.Save(state.Record{Name: DefaultName, Cluster: kind}); err != nil {
			t.Fatal(err)
		}
		lock := func() (*Session, error) {
			run, err := Open(options)
			if err != nil {
				t.Fatal(err)
			}
			unlock, err := run.Lock(t.Context(), nil)
			if err == nil {
				unlock()
			}
			return run, err
		}
		if run, err := lock(); err != nil || run.UseBundle() != (want != "") {
			t.Errorf("%s: bundle %q, %v; want %q", kind, run.Bundle, err, want)
		}
		options.Origins = nil
		if _, err := lock(); (err == nil) != (want != "") {
			t.Errorf("%s, --bundle on the command line: error %v", kind, err)
		}
	}
}

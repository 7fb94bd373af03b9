package embedded

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// faultLimit is the timeout of the end-to-end tests on a running sandbox. They need a few seconds
// to disturb it.
const faultLimit = 15 * time.Second

// TestOwnedSandboxIsRemoved ends the end-to-end tests in every possible way. A sandbox that they
// created is removed.
func TestOwnedSandboxIsRemoved(t *testing.T) {
	s := newSandbox(t)
	s.Endings(faultLimit, []string{"SANDBOX_TIMEOUT=3s"}, func(t *testing.T) {
		s := s.unmended(t)
		s.wantNoProcess()
		if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
			t.Errorf("folder %s still exists: %v", s.Dir, err)
		}
	})
}

// TestFoundSandboxIsLeftAsItWas does the same with an existing sandbox. Its user has set variables
// of the operator and removed the sample.
func TestFoundSandboxIsLeftAsItWas(t *testing.T) {
	s := newSandbox(t)
	variables := []string{"OPERATOR_CONVERGED_AGE=9m", "OPERATOR_MAX_AGE=50m"}
	if out, err := s.Run(t.Context(), upLimit, "up", "--operator-env="+variables[0], "--operator-env="+variables[1]); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	before := s.wantWhole()
	objects := s.objects()
	s.Endings(faultLimit, []string{"CI=true", "SANDBOX_CLUSTER=auto"}, func(t *testing.T) {
		s := s.unmended(t)
		now := s.wantWhole()
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", now[component.Operator]))
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range variables {
			if !slices.Contains(strings.Split(string(env), "\x00"), variable) {
				t.Errorf("the operator has no variable %s", variable)
			}
		}
		// Tests that change the operator's variables restart it.
		now[component.Operator] = before[component.Operator]
		if diff := cmp.Diff(before, now); diff != "" {
			t.Errorf("processes (-before +now):\n%s", diff)
		}
		if diff := cmp.Diff(objects, s.objects()); diff != "" {
			t.Errorf("objects (-before +now):\n%s", diff)
		}
	})
}

// unmended returns the sandbox for a subtest without a repair. No command uses it before, because
// that would create its folder.
func (s *sandbox) unmended(t *testing.T) *sandbox {
	return &sandbox{&rig.Sandbox{T: t, Name: s.Name, Dir: s.Dir, Env: s.Env}}
}

// objects returns all objects of the API server by kind and name, without fields that change
// continuously.
func (s *sandbox) objects() map[string]string {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", state.Dir{Path: s.Dir}.Kubeconfig())
	if err != nil {
		s.T.Fatal(err)
	}
	config.QPS, config.Burst, config.WarningHandler = 200, 400, rest.NoWarnings{}
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(config).ServerPreferredResources()
	if err != nil {
		s.T.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(config)
	found := map[string]string{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			s.T.Fatal(err)
		}
		for _, kind := range list.APIResources {
			if !slices.Contains(kind.Verbs, "list") || kind.Name == "events" || kind.Name == "leases" {
				continue
			}
			items, err := client.Resource(version.WithResource(kind.Name)).List(s.T.Context(), metav1.ListOptions{})
			if err != nil {
				s.T.Fatalf("listing %s: %v", kind.Name, err)
			}
			for i := range items.Items {
				item := &items.Items[i]
				found[strings.Join([]string{kind.Name, item.GetNamespace(), item.GetName()}, " ")] = s.lasting(item)
			}
		}
	}
	return found
}

// lasting returns an object without its status and without the counters of the API server.
func (s *sandbox) lasting(item *unstructured.Unstructured) string {
	s.T.Helper()
	delete(item.Object, "status")
	item.SetManagedFields(nil)
	item.SetResourceVersion("")
	item.SetGeneration(0)
	data, err := json.Marshal(item)
	if err != nil {
		s.T.Fatal(err)
	}
	return string(data)
}

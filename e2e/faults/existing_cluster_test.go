package faults

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
)

// theirs is the name of a kind cluster that is not the sandbox's.
const theirs = "operator-tracing-theirs"

// goneLimit is the timeout for the cluster's garbage collection.
const goneLimit = 90 * time.Second

// existing is a cluster that existed before the sandbox, with its own kubeconfig.
type existing struct {
	*sandbox
	kubeconfig string
	config     *rest.Config
	client     client.Client
}

// newExisting creates a kind cluster with kind itself, as any program would, and removes it when
// the test ends. The sandbox of the result does not exist yet.
func newExisting(t *testing.T) *existing {
	t.Helper()
	folder := t.TempDir()
	maker := &rig.Sandbox{T: t, Name: theirs, Dir: filepath.Join(folder, "maker"), Env: []string{"SANDBOX_CLUSTER=kind"}}
	ctx, cancel := context.WithTimeout(t.Context(), upLimit)
	defer cancel()
	config, err := maker.Command(ctx, "kind-config").Output()
	if err != nil {
		t.Fatalf("asking for kind's configuration: %v", err)
	}
	if conf := filepath.Join(maker.Dir, "containers.conf"); exists(conf) {
		t.Setenv("CONTAINERS_CONF", conf)
	}
	option := kind.ProviderWithPodman()
	if engineName() == "docker" {
		option = kind.ProviderWithDocker()
	}
	for _, variable := range []string{"KIND_EXPERIMENTAL_DOCKER_NETWORK", "KIND_EXPERIMENTAL_PODMAN_NETWORK"} {
		t.Setenv(variable, theirs)
	}
	e := &existing{kubeconfig: filepath.Join(folder, "kubeconfig")}
	made := kind.NewProvider(option)
	t.Cleanup(func() {
		if err := made.Delete(theirs, e.kubeconfig); err != nil {
			t.Errorf("deleting cluster %s: %v", theirs, err)
		}
	})
	err = made.Create(theirs, kind.CreateWithRawConfig(config), kind.CreateWithKubeconfigPath(e.kubeconfig), kind.CreateWithWaitForReady(2*time.Minute))
	if err != nil {
		t.Fatalf("creating cluster %s: %v", theirs, err)
	}
	e.sandbox = &sandbox{&rig.Sandbox{T: t, Name: name, Dir: filepath.Join(folder, "state"), Env: []string{"SANDBOX_CLUSTER=existing", "KUBECONFIG=" + e.kubeconfig}}}
	e.config, err = clientcmd.BuildConfigFromFlags("", e.kubeconfig)
	e.must(err)
	e.config.QPS, e.config.Burst = 200, 400
	e.config.WarningHandlerWithContext = rest.NoWarnings{} // Old kinds are listed, too.
	e.client, err = client.New(e.config, client.Options{})
	e.must(err)
	return e
}

// with returns e for a subtest.
func (e *existing) with(t *testing.T) *existing {
	part, box := *e, *e.Sandbox
	box.T = t
	part.sandbox = &sandbox{&box}
	return &part
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// engineName returns the container engine that CI names, or podman.
func engineName() string {
	if named := os.Getenv("SANDBOX_PROVIDER"); named != "" && named != "auto" {
		return named
	}
	return "podman"
}

// run runs a command that must succeed.
func (e *existing) run(args ...string) string {
	e.T.Helper()
	start := time.Now()
	out, err := e.Run(e.T.Context(), upLimit, args...)
	if err != nil {
		e.T.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	e.T.Logf("%s took %s", strings.Join(args, " "), time.Since(start).Round(100*time.Millisecond))
	return out
}

// objects returns all objects of the cluster, by kind, namespace and name, with resource versions.
// It omits Events, and the versions of objects that controllers renew continuously.
func (e *existing) objects() map[string]string {
	e.T.Helper()
	asker, err := discovery.NewDiscoveryClientForConfig(e.config)
	e.must(err)
	lists, err := asker.ServerPreferredResources()
	e.must(err)
	lister, err := metadata.NewForConfig(e.config)
	e.must(err)
	found := map[string]string{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		e.must(err)
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || resource.Kind == "Event" || resource.Kind == "ComponentStatus" {
				continue
			}
			items, err := lister.Resource(group.WithResource(resource.Name)).List(e.T.Context(), metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				continue // Its definition was deleted meanwhile.
			}
			e.must(err)
			for _, item := range items.Items {
				// The node's own Pods and its Lease appear a while after it is ready.
				if len(item.OwnerReferences) > 0 && item.OwnerReferences[0].Kind == "Node" {
					continue
				}
				version := item.ResourceVersion
				if resource.Kind == "Lease" || resource.Kind == "Node" {
					version = ""
				}
				found[resource.Name+"."+group.Group+" "+item.Namespace+"/"+item.Name] = version
			}
		}
	}
	return found
}

// wantObjects waits until the cluster has the objects of before, and no others.
func (e *existing) wantObjects(before map[string]string) {
	e.T.Helper()
	var added, lost []string
	for end := time.Now().Add(goneLimit); time.Now().Before(end); {
		added, lost = difference(before, e.objects())
		if len(added)+len(lost) == 0 {
			return
		}
		select {
		case <-e.T.Context().Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	e.T.Errorf("these objects remain:\n  %s\nand these are missing:\n  %s", strings.Join(added, "\n  "), strings.Join(lost, "\n  "))
}

// difference returns the names of the objects that only one of the two has.
func difference(before, after map[string]string) (added, lost []string) {
	for object := range after {
		if _, had := before[object]; !had {
			added = append(added, object)
		}
	}
	for object := range before {
		if _, has := after[object]; !has {
			lost = append(lost, object)
		}
	}
	slices.Sort(added)
	slices.Sort(lost)
	return added, lost
}

package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// nodeOf is the script of an engine with a node. ps prints the file names in the folder of the
// engine, and inspect prints the file mounts. Commands run in the node while the file alive exists.
const nodeOf = `case "$1" in
ps) cat "$FAKE/names" 2>/dev/null || true;;
inspect) cat "$FAKE/mounts";;
exec) [ -e "$FAKE/alive" ] || { echo 'container state improper' >&2; exit 255; };;
rm) rm -f "$FAKE/names";;
esac`

// withNode adds a podman that lists these names and mounts the host path owner as the owner file.
func withNode(f enginetest.Fakes, names, owner string) {
	f.Engine("podman", nodeOf)
	f.Write("podman", "names", names)
	f.Write("podman", "mounts", `[{"Source":"/lib/modules","Destination":"/lib/modules"},{"Source":"`+owner+`","Destination":"`+ownerPath+`"}]`)
	f.Write("podman", "alive", "")
}

func TestLook(t *testing.T) {
	for _, test := range []struct {
		name, names, owner string // OWNER in owner is replaced by the owner file of the sandbox
		want               presence
	}{
		{"no node", "", "", absent},
		{"own node", "test-control-plane\n", "OWNER", own},
		{"own node of an engine in a virtual machine", "test-control-plane\n", "/host_mnt" + "OWNER", own},
		{"node of another sandbox", "test-control-plane\n", "/elsewhere/state/owner", foreign},
		{"node of another program", "test-control-plane\n", "", foreign},
		{"with a worker", "test-control-plane\ntest-worker\n", "OWNER", foreign},
		{"other name", "kind-control-plane\n", "OWNER", foreign},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, c := enginetest.New(t), newCluster(t)
			withNode(f, test.names, strings.ReplaceAll(test.owner, "OWNER", c.dir.Owner()))
			got, err := c.look(t.Context())
			if got != test.want || err != nil {
				t.Errorf("look = %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestLookWithAnEngineThatDoesNotAnswer(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `echo 'database is locked' >&2; exit 125`)
	_, err := c.look(t.Context())
	enginetest.WantError(t, err, "finding cluster test: running podman ps: exit status 125: database is locked")
	f.Engine("podman", `case "$1" in ps) echo test-control-plane;; inspect) echo nonsense;; esac`)
	_, err = c.look(t.Context())
	enginetest.WantError(t, err, "finding the owner of cluster test")
}

func TestForeignClustersAreNotChanged(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	withNode(f, "test-control-plane\n", "/elsewhere/owner")
	record := state.Record{}
	c.nodeRuns.reach = func() { t.Error("the node of a foreign cluster counts as running") }
	c.apiServes.reach = func() { t.Error("the API server of a foreign cluster counts as running") }
	_, err := c.Ensure(t.Context(), Spec{Node: Node{Image: "node:1"}}, &record, nil)
	var taken *ForeignError
	if !errors.As(err, &taken) {
		t.Fatalf("Ensure: got error %v, want a *ForeignError", err)
	}
	enginetest.WantError(t, err, `"test"`, "podman", "--name", "kind delete cluster --name test")
	if err := c.Delete(t.Context()); !errors.As(err, &taken) {
		t.Errorf("Delete: got error %v, want a *ForeignError", err)
	}
	for _, change := range []string{"rm", "kill", "restart", "volume rm", "network rm", "run"} {
		if f.Called("podman", change) {
			t.Errorf("calls = %q, want no podman %s", f.Calls("podman"), change)
		}
	}
	if !cmp.Equal(record, state.Record{}) || fileExists(filepath.Join(c.dir.Path, "state.json")) {
		t.Errorf("record = %+v, want it empty and not saved", record)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// serve starts an API server that has only /readyz, and writes the kubeconfig of c for it.
func serve(t *testing.T, c *Cluster, ready http.HandlerFunc) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", ready)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: server.URL}
	config.Contexts["c"] = &api.Context{Cluster: "c"}
	config.CurrentContext = "c"
	if err := clientcmd.WriteToFile(*config, c.dir.Kubeconfig()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
}

func TestEnsureAdoptsAWorkingCluster(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	serve(t, c, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	node := Node{Image: "node:1"}
	hash, err := hashConfig(kindConfig(c.name, node, *c.engine.Host, component.Ports{}, c.dir), node)
	if err != nil {
		t.Fatal(err)
	}
	record := state.Record{Name: "test", ConfigHash: hash}
	var reached []string
	c.nodeRuns.reach = func() { reached = append(reached, "node") }
	c.apiServes.reach = func() { reached = append(reached, "API server") }
	outcome, err := c.Ensure(t.Context(), Spec{Node: node}, &record, nil)
	if outcome != Adopted || err != nil {
		t.Errorf("Ensure = %q, %v, want %q", outcome, err, Adopted)
	}
	if diff := cmp.Diff([]string{"node", "API server"}, reached); diff != "" {
		t.Errorf("milestones (-want +got):\n%s", diff)
	}
	for _, change := range []string{"rm", "kill", "restart"} {
		if f.Called("podman", change) {
			t.Errorf("Ensure called podman %s for a working cluster", change)
		}
	}
}

func TestAsRecorded(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node, ports := Node{Image: "node:1"}, component.Ports{component.UI: 1, component.Query: 2, component.OTLPGRPC: 3, component.OTLPHTTP: 4, component.Thrift: 5}
	hash, err := hashConfig(kindConfig(c.name, node, *c.engine.Host, ports, c.dir), node)
	if err != nil {
		t.Fatal(err)
	}
	complete := state.Record{Name: "test", Ports: ports, ConfigHash: hash}
	partial := complete
	partial.Creating = true
	gated := complete
	gated.Ports, gated.ComponentPorts = ports.With(component.UI, 9), component.Ports{component.JaegerPage: 1}
	for _, test := range []struct {
		name   string
		spec   Spec
		record state.Record
		want   bool
	}{
		{"equal", Spec{Node: node}, complete, true},
		{"requested port of the cluster", Spec{Node: node, Ports: component.Ports{component.UI: 1}}, complete, true},
		{"another requested port", Spec{Node: node, Ports: component.Ports{component.UI: 9}}, complete, false},
		{"another image", Spec{Node: Node{Image: "node:2"}}, complete, false},
		{"partly created", Spec{Node: node}, partial, false},
		{"a gate on the user's port", Spec{Node: node}, gated, true},
		{"a gate on the requested port", Spec{Node: node, Ports: component.Ports{component.UI: 9}}, gated, true},
		{"no record", Spec{Node: node}, state.Record{}, false},
	} {
		if got, err := c.asRecorded(test.spec, test.record); got != test.want || err != nil {
			t.Errorf("%s: asRecorded = %t, %v, want %t", test.name, got, err, test.want)
		}
	}
}

func TestEnsureWithATakenPortCreatesNothing(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	withNode(f, "", "")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	record := state.Record{}
	_, err = c.Ensure(t.Context(), Spec{Node: Node{Image: "node:1"}, Ports: component.Ports{component.UI: taken}}, &record, nil)
	var busy *port.TakenError
	if !errors.As(err, &busy) {
		t.Fatalf("Ensure: got error %v, want a *port.TakenError", err)
	}
	if f.Called("podman", "run") || !cmp.Equal(record, state.Record{}) || fileExists(filepath.Join(c.dir.Path, "state.json")) {
		t.Errorf("record = %+v, calls = %q, want no change", record, f.Calls("podman"))
	}
}

func TestAliveNamesTheFailedPart(t *testing.T) {
	t.Run("the node", func(t *testing.T) {
		f, c := enginetest.New(t), newCluster(t)
		f.Engine("podman", nodeOf)
		enginetest.WantError(t, c.Alive(t.Context()), "asking the container runtime of node test-control-plane", "container state improper")
	})
	t.Run("the API server", func(t *testing.T) {
		f, c := enginetest.New(t), newCluster(t)
		withNode(f, "test-control-plane\n", c.dir.Owner())
		serve(t, c, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "[+]ping ok\n[-]etcd failed: reason withheld", http.StatusInternalServerError)
		})
		enginetest.WantError(t, c.Alive(t.Context()), "checking readiness of cluster test", "[-]etcd failed")
	})
	t.Run("the kubeconfig", func(t *testing.T) {
		f, c := enginetest.New(t), newCluster(t)
		withNode(f, "test-control-plane\n", c.dir.Owner())
		enginetest.WantError(t, c.Alive(t.Context()), "reading the kubeconfig of cluster test")
	})
}

func TestWaitReadyReturnsTheLastError(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", nodeOf)
	enginetest.WantError(t, c.waitReady(t.Context(), 3*pollEvery), "waiting 300ms for cluster test", "container state improper")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.waitReady(ctx, readyTimeout); err == nil {
		t.Error("waitReady with a cancelled context: got no error")
	}
}

func TestDeleteRemovesNodeVolumesNetworkAndKubeconfig(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	f.Engine("podman", nodeOf+"\ncase \"$1 $2\" in 'volume ls') echo one; echo two;; esac")
	for _, file := range []string{c.dir.Kubeconfig(), c.dir.Kubeconfig() + ".lock"} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{
		"rm --force --volumes test-control-plane", "volume ls --quiet --filter label=test-control-plane", "volume rm --force one",
		"volume rm --force two", "network rm test",
	} {
		if !f.Called("podman", call) {
			t.Errorf("calls = %q, want podman %s", f.Calls("podman"), call)
		}
	}
	if fileExists(c.dir.Kubeconfig()) || fileExists(c.dir.Kubeconfig()+".lock") {
		t.Error("the kubeconfig or its lock still exists")
	}
	if err := c.Delete(t.Context()); err != nil {
		t.Errorf("second Delete: got error %v", err)
	}
}

// If the monitor of a container was killed, podman deletes the container on the second attempt.
func TestRemoveNodeRetries(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	f.Engine("podman", `case "$1" in
rm) if [ -e "$FAKE/tried" ]; then rm -f "$FAKE/names"; else touch "$FAKE/tried"; echo 'conmon is gone' >&2; exit 2; fi; exit 0;;
esac
`+nodeOf)
	if err := c.removeNode(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRemoveNodeReturnsTheRemedy(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	f.Engine("podman", `case "$1" in rm) echo 'device or resource busy' >&2; exit 2;; esac
`+nodeOf)
	enginetest.WantError(t, c.removeNode(t.Context()), "device or resource busy", "podman rm -f -v test-control-plane")
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"operator-tracing": true, "a": true, "a.b-c": true, "1": true, strings.Repeat("a", 46): true,
		"": false, "A": false, "-a": false, "a-": false, "a_b": false, "a b": false, "a/b": false, strings.Repeat("a", 47): false, "a\n": false,
	} {
		if err := ValidName(name); (err == nil) != want {
			t.Errorf("ValidName(%q): got error %v, want valid: %t", name, err, want)
		}
	}
}

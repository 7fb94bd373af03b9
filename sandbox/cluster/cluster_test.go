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
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// nodeOf is the body of an engine with a node. In its own folder the file names holds what ps prints, mounts what inspect
// does; commands run in the node while the file alive is there.
const nodeOf = `case "$1" in
ps) cat "$FAKE/names" 2>/dev/null || true;;
inspect) cat "$FAKE/mounts";;
exec) [ -e "$FAKE/alive" ] || { echo 'container state improper' >&2; exit 255; };;
rm) rm -f "$FAKE/names";;
esac`

// withNode puts a podman there that lists these names, with a mount of this host path on the owner's place.
func withNode(f fakes, names, owner string) {
	f.t.Helper()
	f.engine("podman", nodeOf)
	f.write("names", names)
	f.write("mounts", `[{"Source":"/lib/modules","Destination":"/lib/modules"},{"Source":"`+owner+`","Destination":"`+ownerPath+`"}]`)
	f.write("alive", "")
}

func (f fakes) write(file, content string) {
	f.t.Helper()
	if err := os.WriteFile(f.file("podman", file), []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func TestLook(t *testing.T) {
	for _, test := range []struct {
		name, names, owner string // OWNER in owner is the sandbox's own file
		want               presence
	}{
		{"no node", "", "", absent},
		{"an own one", "test-control-plane\n", "OWNER", own},
		{"an own one of an engine in a virtual machine", "test-control-plane\n", "/host_mnt" + "OWNER", own},
		{"of another sandbox", "test-control-plane\n", "/elsewhere/state/owner", foreign},
		{"of another program", "test-control-plane\n", "", foreign},
		{"with a worker", "test-control-plane\ntest-worker\n", "OWNER", foreign},
		{"of other names", "kind-control-plane\n", "OWNER", foreign},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, c := newFakes(t), newCluster(t)
			withNode(f, test.names, strings.ReplaceAll(test.owner, "OWNER", c.dir.Owner()))
			got, err := c.look(t.Context())
			if got != test.want || err != nil {
				t.Errorf("presence %d, %v; want %d", got, err, test.want)
			}
		})
	}
}

func TestLookWithAnEngineThatDoesNotAnswer(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	f.engine("podman", `echo 'database is locked' >&2; exit 125`)
	_, err := c.look(t.Context())
	oneLine(t, err, "looking for cluster test: running podman ps: exit status 125: database is locked")
	f.engine("podman", `case "$1" in ps) echo test-control-plane;; inspect) echo nonsense;; esac`)
	_, err = c.look(t.Context())
	oneLine(t, err, "looking whose cluster test is")
}

func TestForeignClustersAreLeftAlone(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	withNode(f, "test-control-plane\n", "/elsewhere/owner")
	record := state.Record{}
	_, err := c.Ensure(t.Context(), Wanted{
		Node:   Node{Image: "node:1"},
		OnNode: func() { t.Error("a cluster of somebody else was given as the node") }, OnAPIServer: func() { t.Error("and as the API server") },
	}, &record, nil)
	var taken *ForeignError
	if !errors.As(err, &taken) {
		t.Fatalf("Ensure: %v, want a *ForeignError", err)
	}
	oneLine(t, err, `"test"`, "podman", "--name", "kind delete cluster --name test")
	if err := c.Delete(t.Context()); !errors.As(err, &taken) {
		t.Errorf("Delete: %v, want a *ForeignError", err)
	}
	for _, change := range []string{"rm", "kill", "restart", "volume rm", "network rm", "run"} {
		if f.called("podman", change) {
			t.Errorf("podman %s was called: %q", change, f.calls("podman"))
		}
	}
	if !cmp.Equal(record, state.Record{}) || fileExists(filepath.Join(c.dir.Path, "state.json")) {
		t.Errorf("the record became %+v", record)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// serve makes an API server of which only /readyz is there, and c's kubeconfig for it.
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

func TestEnsureAdoptsAClusterThatWorks(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	serve(t, c, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	node := Node{Image: "node:1"}
	hash, err := hashConfig(kindConfig(c.name, node, *c.engine.Host, component.Ports{}, c.dir), node)
	if err != nil {
		t.Fatal(err)
	}
	record := state.Record{Name: "test", ConfigHash: hash}
	var reached []string
	outcome, err := c.Ensure(t.Context(), Wanted{
		Node:   node,
		OnNode: func() { reached = append(reached, "node") }, OnAPIServer: func() { reached = append(reached, "API server") },
	}, &record, nil)
	if outcome != Adopted || err != nil {
		t.Errorf("outcome %q, %v; want %q", outcome, err, Adopted)
	}
	if diff := cmp.Diff([]string{"node", "API server"}, reached); diff != "" {
		t.Errorf("milestones (-want +got):\n%s", diff)
	}
	for _, change := range []string{"rm", "kill", "restart"} {
		if f.called("podman", change) {
			t.Errorf("podman %s was called on a cluster that works", change)
		}
	}
}

func TestAsRecorded(t *testing.T) {
	c := newCluster(t)
	node, ports := Node{Image: "node:1"}, component.Ports{component.UI: 1, component.Query: 2, component.OTLPGRPC: 3, component.OTLPHTTP: 4, component.Thrift: 5}
	hash, err := hashConfig(kindConfig(c.name, node, *c.engine.Host, ports, c.dir), node)
	if err != nil {
		t.Fatal(err)
	}
	whole := state.Record{Name: "test", Ports: ports, ConfigHash: hash}
	halfMade := whole
	halfMade.Creating = true
	for _, test := range []struct {
		name   string
		wanted Wanted
		record state.Record
		want   bool
	}{
		{"the same", Wanted{Node: node}, whole, true},
		{"a port that it has was asked for", Wanted{Node: node, Ports: component.Ports{component.UI: 1}}, whole, true},
		{"another port was asked for", Wanted{Node: node, Ports: component.Ports{component.UI: 9}}, whole, false},
		{"another image", Wanted{Node: Node{Image: "node:2"}}, whole, false},
		{"half-made", Wanted{Node: node}, halfMade, false},
		{"no record", Wanted{Node: node}, state.Record{}, false},
	} {
		if got, err := c.asRecorded(test.wanted, test.record); got != test.want || err != nil {
			t.Errorf("%s: %t, %v", test.name, got, err)
		}
	}
}

func TestEnsureWithAPortThatIsTakenMakesNothing(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	withNode(f, "", "")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	record := state.Record{}
	_, err = c.Ensure(t.Context(), Wanted{Node: Node{Image: "node:1"}, Ports: component.Ports{component.UI: taken}}, &record, nil)
	var busy *port.TakenError
	if !errors.As(err, &busy) {
		t.Fatalf("error %v, want a *port.TakenError", err)
	}
	if f.called("podman", "run") || !cmp.Equal(record, state.Record{}) || fileExists(filepath.Join(c.dir.Path, "state.json")) {
		t.Errorf("record %+v, calls %q", record, f.calls("podman"))
	}
}

func TestAliveSaysWhatDoesNotAnswer(t *testing.T) {
	t.Run("the node", func(t *testing.T) {
		f, c := newFakes(t), newCluster(t)
		f.engine("podman", nodeOf)
		oneLine(t, c.Alive(t.Context()), "running a command in node test-control-plane", "container state improper")
	})
	t.Run("the API server", func(t *testing.T) {
		f, c := newFakes(t), newCluster(t)
		withNode(f, "test-control-plane\n", c.dir.Owner())
		serve(t, c, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "[+]ping ok\n[-]etcd failed: reason withheld", http.StatusInternalServerError)
		})
		oneLine(t, c.Alive(t.Context()), "asking cluster test whether it is ready", "[-]etcd failed")
	})
	t.Run("the kubeconfig", func(t *testing.T) {
		f, c := newFakes(t), newCluster(t)
		withNode(f, "test-control-plane\n", c.dir.Owner())
		oneLine(t, c.Alive(t.Context()), "reading the kubeconfig of cluster test")
	})
}

func TestWaitReadyGivesUpWithTheLastReason(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	f.engine("podman", nodeOf)
	oneLine(t, c.waitReady(t.Context(), 3*pollEvery), "waiting 300ms for cluster test", "container state improper")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.waitReady(ctx, readyTimeout); err == nil {
		t.Error("no error though the caller gave up")
	}
}

func TestDeleteRemovesNodeVolumesNetworkAndKubeconfig(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	f.engine("podman", nodeOf+"\ncase \"$1 $2\" in 'volume ls') echo one; echo two;; esac")
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
		if !f.called("podman", call) {
			t.Errorf("podman %s was not called: %q", call, f.calls("podman"))
		}
	}
	if fileExists(c.dir.Kubeconfig()) || fileExists(c.dir.Kubeconfig()+".lock") {
		t.Error("the kubeconfig or its lock is still there")
	}
	if err := c.Delete(t.Context()); err != nil {
		t.Errorf("deleting again: %v", err)
	}
}

// After its monitor was killed, podman removes a container at the second try.
func TestRemoveNodeTriesAgain(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	f.engine("podman", `case "$1" in
rm) if [ -e "$FAKE/tried" ]; then rm -f "$FAKE/names"; else touch "$FAKE/tried"; echo 'conmon is gone' >&2; exit 2; fi; exit 0;;
esac
`+nodeOf)
	if err := c.removeNode(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRemoveNodeGivesUpWithTheCommandToRun(t *testing.T) {
	f, c := newFakes(t), newCluster(t)
	withNode(f, "test-control-plane\n", c.dir.Owner())
	f.engine("podman", `case "$1" in rm) echo 'device or resource busy' >&2; exit 2;; esac
`+nodeOf)
	oneLine(t, c.removeNode(t.Context()), "device or resource busy", "podman rm -f -v test-control-plane")
}

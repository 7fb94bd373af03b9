package detour

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// start runs a program as the operator of a sandbox, as up does.
func start(t *testing.T, args ...string) (state.Dir, process.Table) {
	t.Helper()
	dir := state.Dir{Path: t.TempDir()}
	kubeconfig := filepath.Join(dir.Components(), component.Operator, "kubeconfig")
	token := filepath.Join(dir.Path, "token")
	if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	authority, _, err := pki.Store{Dir: dir.PKI()}.Authority("ca")
	if err != nil {
		t.Fatal(err)
	}
	config := credentials.Kubeconfig{Server: "https://127.0.0.1:1", CAFile: authority.CertFile, TokenFile: token, User: "operator"}
	if _, err := credentials.WriteKubeconfig(kubeconfig, config); err != nil {
		t.Fatal(err)
	}
	table := tableOf(dir)
	spec := process.Spec{Name: component.Operator, Path: "/bin/sleep", Args: args, Env: []string{"A=b", variable + kubeconfig}, Revision: "r"}
	if _, _, err := table.Ensure(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Stop(context.Background(), component.Operator); err != nil { //nolint:usetesting // the test's own context has ended
			t.Error(err)
		}
	})
	return dir, table
}

func find(t *testing.T, table process.Table) *process.Process {
	t.Helper()
	p, err := table.Find(component.Operator)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func left(t *testing.T, dir state.Dir) bool {
	t.Helper()
	is, err := Left(dir)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// TestDetour puts an operator behind a proxy, kills it, and restores it. In between, another command
// finds it behind the proxy of a command that was killed.
func TestDetour(t *testing.T) {
	t.Parallel()
	dir, table := start(t, "1000")
	before := find(t, table)
	o, err := New(dir, component.Ports{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(t.Context(), "https://127.0.0.1:2"); err != nil {
		t.Fatal(err)
	}
	behind := find(t, table)
	if behind.PID == before.PID || !left(t, dir) {
		t.Errorf("process %d, left %t; want another process than %d, and left", behind.PID, left(t, dir), before.PID)
	}
	config, err := clientcmd.LoadFromFile(kubeconfigIn(behind.Spec))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range config.Clusters {
		if c.Server != "https://127.0.0.1:2" || c.CertificateAuthority != o.ClientCA {
			t.Errorf("the operator connects to %s with authority %s, want the proxy", c.Server, c.CertificateAuthority)
		}
	}
	for _, user := range config.AuthInfos {
		if user.TokenFile == "" {
			t.Error("the operator has lost its token")
		}
	}
	if err := o.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.Exited(); err == nil || find(t, table) != nil {
		t.Errorf("Exited = %v after a kill, want an error", err)
	}
	if err := o.Start(t.Context(), "https://127.0.0.1:2"); err != nil {
		t.Fatal(err)
	}
	again, err := New(dir, component.Ports{}) // Of the next command.
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, want := encode(t, find(t, table).Spec), encode(t, before.Spec)
	if got != want || left(t, dir) {
		t.Errorf("after Restore the process is %s, left %t; want %s", got, left(t, dir), want)
	}
}

func encode(t *testing.T, spec process.Spec) string {
	t.Helper()
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestStartReportsAnExit(t *testing.T) {
	t.Parallel()
	dir, _ := start(t, "1000")
	o, err := New(dir, component.Ports{})
	if err != nil {
		t.Fatal(err)
	}
	o.direct.Args = []string{"no number"}
	if err := o.Start(t.Context(), "https://127.0.0.1:2"); err == nil || !strings.Contains(err.Error(), "invalid time interval") {
		t.Errorf("Start = %v, want the reason from the log", err)
	}
}

func TestNewNeedsAnOperator(t *testing.T) {
	t.Parallel()
	if _, err := New(state.Dir{Path: t.TempDir()}, component.Ports{}); err == nil || !strings.Contains(err.Error(), "the operator is not running: run `sandbox up`") {
		t.Errorf("New = %v, want the remedy", err)
	}
}

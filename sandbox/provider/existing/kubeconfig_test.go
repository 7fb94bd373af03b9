package existing

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const two = `{apiVersion: v1, kind: Config, current-context: other, clusters: [
  {name: c, cluster: {server: "https://c:6443", certificate-authority: ca.crt}}, {name: d, cluster: {server: "https://d:6443"}}],
 users: [{name: u, user: {token: mine}}, {name: v, user: {token: secret}}],
 contexts: [{name: team-c, context: {cluster: c, user: u}}, {name: other, context: {cluster: d, user: v}}, {name: broken, context: {cluster: gone, user: u}}]}`

func write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config": two, "ca.crt": "certificate"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config")
}

// The copy only contains the context, needs no other file, and is only accessible by its owner.
func TestCopy(t *testing.T) {
	for name, find := range map[string]func(t *testing.T) (Source, error){
		"by its path": func(t *testing.T) (Source, error) { return Find(write(t), "team-c") },
		"by the environment": func(t *testing.T) (Source, error) {
			t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "missing")+string(filepath.ListSeparator)+write(t))
			return Find("", "team-c")
		},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := find(t)
			if err != nil || source.Server != "https://c:6443" {
				t.Fatalf("Find = %+v, %v", source, err)
			}
			c := newCluster(t, session.Options{}, state.Record{})
			path := c.session.Dir.Kubeconfig()
			if err := source.Copy(path); err != nil {
				t.Fatal(err)
			}
			copied, err := clientcmd.LoadFromFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if copied.CurrentContext != "team-c" || len(copied.Contexts) != 1 || len(copied.AuthInfos) != 1 || string(copied.Clusters["c"].CertificateAuthorityData) != "certificate" {
				t.Errorf("copy = %+v", copied)
			}
			data, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(data), "secret") {
				t.Errorf("the copy contains the token of another user: %v", err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
			}
			if config, err := c.RESTConfig(); err != nil || config.BearerToken != "mine" {
				t.Errorf("RESTConfig: got error %v or another token", err)
			}
		})
	}
}

func TestNoContext(t *testing.T) {
	path := write(t)
	_, err := Find(path, "team-d")
	if !errors.Is(err, ErrNoContext) || !strings.Contains(err.Error(), "did you mean team-c") || !strings.Contains(err.Error(), "broken, other, team-c") {
		t.Errorf("got error %v", err)
	}
	if _, err := Find(path, "broken"); err == nil || !strings.Contains(err.Error(), `cluster "gone" has no server`) {
		t.Errorf("got error %v", err)
	}
	if _, err := Find(filepath.Join(t.TempDir(), "none"), "a"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("got error %v", err)
	}
	for text, want := range map[string]string{"": "does not exist", "apiVersion: v1\nkind: Config\n": "has no contexts; set --kubeconfig"} {
		file := filepath.Join(t.TempDir(), "config")
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("KUBECONFIG", file)
		if _, err := Find("", "a"); !errors.Is(err, ErrNoContext) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("Find with KUBECONFIG %q: got error %v", text, err)
		}
	}
	if _, err := newCluster(t, session.Options{}, state.Record{}).RESTConfig(); err == nil || !strings.Contains(err.Error(), "sandbox up --cluster=existing") {
		t.Errorf("got error %v", err)
	}
}

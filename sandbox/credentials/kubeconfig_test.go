package credentials

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
)

func writeFile(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func checkPrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode of %s = %o, want 600", filepath.Base(path), mode)
	}
}

func writeKubeconfig(t *testing.T, path string, k Kubeconfig, want bool) {
	t.Helper()
	changed, err := WriteKubeconfig(path, k)
	if err != nil {
		t.Fatal(err)
	}
	if changed != want {
		t.Errorf("WriteKubeconfig changed the file: %t, want %t", changed, want)
	}
	checkPrivate(t, path)
}

func TestWriteKubeconfigReportsChanges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder")
	path := filepath.Join(dir, "kubeconfig")
	k := Kubeconfig{Server: "https://127.0.0.1:1", CAFile: "/ca.crt", TokenFile: "/token"}
	writeKubeconfig(t, path, k, true)
	writeKubeconfig(t, path, k, false)

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	writeKubeconfig(t, path, k, false)

	k.Server = "https://127.0.0.1:2"
	writeKubeconfig(t, path, k, true)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, data[:len(data)/2])
	writeKubeconfig(t, path, k, true)
	writeFile(t, path+".new", data[:len(data)/2])
	writeKubeconfig(t, path, k, false)
	k.User = "n"
	writeKubeconfig(t, path, k, true)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("files = %v, want only the kubeconfig", entries)
	}
}

func TestWriteKubeconfigWithEverythingInline(t *testing.T) {
	dir := t.TempDir()
	k := Kubeconfig{
		User: "admin", Server: "https://127.0.0.1:1", Inline: true,
		CAFile:   writeFile(t, filepath.Join(dir, "ca.crt"), []byte("authority")),
		CertFile: writeFile(t, filepath.Join(dir, "c.crt"), []byte("certificate")),
		KeyFile:  writeFile(t, filepath.Join(dir, "c.key"), []byte("key")),
	}
	path := filepath.Join(dir, "kubeconfig")
	writeKubeconfig(t, path, k, true)
	got, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	user, cluster, current := got.AuthInfos["admin"], got.Clusters["sandbox"], got.Contexts[got.CurrentContext]
	if user == nil || cluster == nil || current == nil {
		t.Fatalf("kubeconfig = %+v, want user admin and cluster sandbox", got)
	}
	want := []string{"authority", "certificate", "key", "", "", "", "sandbox", "admin", "", "https://127.0.0.1:1"}
	have := []string{
		string(cluster.CertificateAuthorityData), string(user.ClientCertificateData), string(user.ClientKeyData),
		cluster.CertificateAuthority, user.ClientCertificate, user.ClientKey,
		current.Cluster, current.AuthInfo, current.Namespace, cluster.Server,
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("kubeconfig (-want +got):\n%s", diff)
	}
	writeFile(t, k.CertFile, []byte("renewed"))
	writeKubeconfig(t, path, k, true)
	writeKubeconfig(t, path, k, false)
}

func TestWriteKubeconfigErrors(t *testing.T) {
	tests := map[string]struct {
		spoil func(*Kubeconfig)
		want  string
	}{
		"no server":         {func(k *Kubeconfig) { k.Server = "" }, "server is empty"},
		"no CA":             {func(k *Kubeconfig) { k.CAFile = "" }, "certificate authority is empty"},
		"two CAs":           {func(k *Kubeconfig) { k.CAData = []byte("ca") }, "must be either data or a file"},
		"no key":            {func(k *Kubeconfig) { k.KeyFile = "" }, "a client certificate requires a key"},
		"two credentials":   {func(k *Kubeconfig) { k.TokenFile = "/token" }, "either a certificate or a token file"},
		"no credentials":    {func(k *Kubeconfig) { k.CertFile, k.KeyFile = "", "" }, "either a certificate or a token file"},
		"relative path":     {func(k *Kubeconfig) { k.CAFile = "ca.crt" }, `path "ca.crt" is not absolute`},
		"nothing to inline": {func(k *Kubeconfig) { k.Inline = true }, "/none/"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := Kubeconfig{Server: "https://127.0.0.1:1", CAFile: "/none/ca.crt", CertFile: "/none/c.crt", KeyFile: "/none/c.key"}
			test.spoil(&k)
			path := filepath.Join(t.TempDir(), "kubeconfig")
			_, err := WriteKubeconfig(path, k)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("WriteKubeconfig = %v, want an error with %q and %s", err, test.want, path)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat = %v, want that the file does not exist", err)
			}
		})
	}
}

func TestWriteKubeconfigWrapsTheSystemError(t *testing.T) {
	path := filepath.Join(writeFile(t, filepath.Join(t.TempDir(), "file"), nil), "kubeconfig")
	_, err := WriteKubeconfig(path, Kubeconfig{Server: "https://127.0.0.1:1", CAFile: "/ca.crt", TokenFile: "/token"})
	if !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
		t.Errorf("error = %v, want %v and %s", err, syscall.ENOTDIR, path)
	}
}

//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseKubeadmFlags(t *testing.T) {
	for env, want := range map[string][]string{
		"KUBELET_KUBEADM_ARGS=\"--node-ip=10.89.0.2 --pod-infra-container-image=pause:3.10\"\n": {"--node-ip=10.89.0.2", "--pod-infra-container-image=pause:3.10"},
		"KUBELET_KUBEADM_ARGS=--a=b":                {"--a=b"},
		"KUBELET_KUBEADM_ARGS=\"\"\n":               nil,
		"# comment\nKUBELET_KUBEADM_ARGS=\"--a=b\"": {"--a=b"},
		"OTHER=\"--a=b\"\n":                         nil,
		"":                                          nil,
	} {
		if got := parseKubeadmFlags(env); !slices.Equal(got, want) {
			t.Errorf("parseKubeadmFlags(%q) = %q, want %q", env, got, want)
		}
	}
}

// setAddressFiles writes files with these contents and returns their paths. During the test,
// addressFiles contains these files and a missing one.
func setAddressFiles(t *testing.T, contents ...string) []string {
	t.Helper()
	before := addressFiles
	t.Cleanup(func() { addressFiles = before })
	addressFiles = []string{filepath.Join(t.TempDir(), "missing")} // A node that stopped early does not have all files.
	for _, content := range contents {
		addressFiles = append(addressFiles, put(t, t.TempDir(), "file", content))
	}
	return addressFiles[1:]
}

func TestReplaceAddress(t *testing.T) {
	for _, test := range []struct{ before, want string }{
		{"server: https://10.89.0.2:6443\n", "server: https://10.89.0.77:6443\n"},
		{"--listen=https://127.0.0.1:2379,https://10.89.0.2:2379", "--listen=https://127.0.0.1:2379,https://10.89.0.77:2379"},
		{"10.89.0.2", "10.89.0.77"},
		{"10.89.0.20 10.89.0.21", "10.89.0.20 10.89.0.21"},
		{"110.89.0.2", "110.89.0.2"},
		{"10.89.0.2/24 10.89.0.2, \"10.89.0.2\"", "10.89.0.77/24 10.89.0.77, \"10.89.0.77\""},
		{"10x89y0z2", "10x89y0z2"},
		{"no address", "no address"},
	} {
		files := setAddressFiles(t, test.before)
		if err := replaceAddress("10.89.0.2", "10.89.0.77"); err != nil {
			t.Fatal(err)
		}
		if got := read(t, files[0]); got != test.want {
			t.Errorf("replaceAddress in %q = %q, want %q", test.before, got, test.want)
		}
	}
}

func TestReplaceAddressInEveryFile(t *testing.T) {
	files := setAddressFiles(t, "a 10.0.0.1", "b 10.0.0.1")
	if err := replaceAddress("10.0.0.1", "10.0.0.2"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, files[0]) + read(t, files[1]); got != "a 10.0.0.2b 10.0.0.2" {
		t.Errorf("both files = %q, want the new address in each", got)
	}
	addressFiles = []string{t.TempDir()}
	if err := replaceAddress("10.0.0.2", "10.0.0.3"); err == nil || !strings.Contains(err.Error(), addressFiles[0]) {
		t.Errorf("replaceAddress with an unreadable file: got error %v", err)
	}
}

func TestWithoutRlimits(t *testing.T) {
	spec, err := withoutRlimits([]byte(`{"ociVersion":"1.2.0","process":{"cwd":"/","rlimits":[{"type":"RLIMIT_NOFILE","hard":1024}]},"linux":{"rlimits":"kept"}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		OCIVersion string
		Process    map[string]any
		Linux      map[string]any
	}
	if err := json.Unmarshal(spec, &got); err != nil {
		t.Fatal(err)
	}
	if _, there := got.Process["rlimits"]; there || got.Process["cwd"] != "/" || got.OCIVersion != "1.2.0" || got.Linux["rlimits"] != "kept" {
		t.Errorf("withoutRlimits() = %s, want only process.rlimits removed", spec)
	}
	if _, err := withoutRlimits([]byte(`{}`)); err != nil {
		t.Errorf("withoutRlimits(spec without a process): %v", err)
	}
	if _, err := withoutRlimits([]byte(`ctr: no such command`)); err == nil || !strings.Contains(err.Error(), "decoding the default container spec") {
		t.Errorf("withoutRlimits(invalid JSON): got error %v", err)
	}
}

func TestPrepareV1CopiesTheCpusetOfTheParent(t *testing.T) {
	root := t.TempDir()
	put(t, root, "cpuset.cpus", "0-3\n")
	put(t, root, "cpuset.mems", "0\n")
	for range 2 { // On a restarted node, the cgroup exists.
		if err := prepareV1(root); err != nil {
			t.Fatal(err)
		}
	}
	if cpus, mems := read(t, root, kubeletCgroup, "cpuset.cpus"), read(t, root, kubeletCgroup, "cpuset.mems"); cpus != "0-3\n" || mems != "0\n" {
		t.Errorf("cpuset.cpus = %q, cpuset.mems = %q, want the parent's values", cpus, mems)
	}
}

// Only the hierarchy of the processor's shares has the daemons' cgroup.
func TestPrepareV1MovesTheDaemons(t *testing.T) {
	root := t.TempDir()
	put(t, root, "cpu.shares", "1024\n")
	if err := prepareV1(root); err != nil {
		t.Fatal(err)
	}
	if pid := read(t, root, daemonsCgroup, "cgroup.procs"); pid != strconv.Itoa(os.Getpid()) {
		t.Errorf("cgroup.procs = %q, want this process", pid)
	}
}

func TestPrepareV1OfAnotherHierarchy(t *testing.T) {
	root := t.TempDir()
	put(t, root, "memory.limit_in_bytes", "1")
	if err := prepareV1(root); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, kubeletCgroup))
	if err != nil || len(entries) > 0 {
		t.Errorf("entries = %v, %v, want none", entries, err)
	}
	if exists(filepath.Join(root, daemonsCgroup)) {
		t.Error("prepareV1 moved the daemons in a hierarchy without shares of the processor")
	}
	if err := prepareV1(put(t, root, "file", "")); err == nil || !strings.HasPrefix(err.Error(), "creating cgroup ") {
		t.Errorf("prepareV1(file): got error %v", err)
	}
}

func TestPrepareUnified(t *testing.T) {
	root := t.TempDir()
	put(t, root, "cgroup.controllers", "cpuset cpu memory pids\n")
	put(t, root, "cgroup.procs", "1\n17\n")
	if err := prepareUnified(root); err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, "init", "cgroup.procs"); got != "17" { // Each write moves one process. A plain file keeps the last write.
		t.Errorf("last process of the leaf = %q, want 17", got)
	}
	for _, dir := range []string{root, filepath.Join(root, kubeletCgroup)} {
		if got := read(t, dir, "cgroup.subtree_control"); got != "+cpuset +cpu +memory +pids" {
			t.Errorf("cgroup.subtree_control of %s = %q, want all controllers", dir, got)
		}
	}
	if err := prepareUnified(t.TempDir()); err == nil || !strings.Contains(err.Error(), "listing processes") {
		t.Errorf("prepareUnified(empty folder): got error %v", err)
	}
}

func TestVariables(t *testing.T) {
	for content, want := range map[string][]string{
		"": nil, "\n\n": nil,
		"A=1\nB=two words\n": {"A=1", "B=two words"},
		"  A=b=c ":           {"A=b=c"},
	} {
		got, err := variables(put(t, t.TempDir(), "containerd.env", content))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("variables(file with %q) = %q, %v, want %q", content, got, err, want)
		}
	}
	if got, err := variables(filepath.Join(t.TempDir(), "missing")); got != nil || err != nil {
		t.Errorf("variables(missing file) = %q, %v, want nil and no error", got, err)
	}
	if _, err := variables(t.TempDir()); err == nil {
		t.Error("variables(folder): got no error, want one")
	}
}

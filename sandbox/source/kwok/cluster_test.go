package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// The Node's name and the user are those of config/node.
const (
	nodeName = "sandbox-node"
	user     = "system:kwok"
)

// leaseDuration is short, so that a test outlives it.
const leaseDuration = 4 * time.Second

var podRange = netip.MustParsePrefix("10.99.0.0/24")

// cluster is a control plane with the Node, RBAC and namespace of config/node.
type cluster struct {
	kubernetes.Interface
	kubeconfig string // kwok's
}

// newCluster starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler, which end with the test.
func newCluster(t *testing.T) cluster {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: set it to what `make envtest-assets` prints, or run `make test-short`")
	}
	environment := &envtest.Environment{}
	admin, err := environment.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	kubeconfig := func(name string, groups ...string) string {
		u, err := environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
		if err != nil {
			t.Fatalf("adding user %s: %v", name, err)
		}
		data, err := u.KubeConfig()
		if err != nil {
			t.Fatalf("making the kubeconfig of %s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	adminKubeconfig := kubeconfig("admin", "system:masters")
	apply := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), "--kubeconfig", adminKubeconfig, "apply", "-k", "../../../config/node")
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("applying config/node: %v\n%s", err, out)
	}
	common := []string{"--kubeconfig=" + adminKubeconfig, "--leader-elect=false", "--secure-port=0", "--v=1"}
	background(t, filepath.Join(assets, "kube-scheduler"), common...)
	background(t, filepath.Join(assets, "kube-controller-manager"), append(common,
		fmt.Sprintf("--node-monitor-grace-period=%s", leaseDuration), "--node-monitor-period=500ms")...)
	admin.QPS = -1 // Conditions are polled often.
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{Interface: client, kubeconfig: kubeconfig(user)}
}

// background runs a program until the test ends, and shows what it said if the test failed.
func background(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // It was killed.
		if t.Failed() {
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			t.Logf("last lines of %s:\n%s", filepath.Base(program), strings.Join(lines[max(0, len(lines)-15):], "\n"))
		}
	})
}

// start plays the node until the returned function is called or the test ends.
func (c cluster) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{
			"--kubeconfig", c.kubeconfig, "--node", nodeName,
			"--pod-cidr", podRange.String(), "--node-lease-duration", leaseDuration.String(),
		})
	}()
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; exitCode(ctx, err) != 0 {
			t.Errorf("kwok ended: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits until look finds nothing to complain about.
func eventually(t *testing.T, limit time.Duration, look func(context.Context) (complaint string)) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, limit, true, func(ctx context.Context) (bool, error) {
		last = look(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("not within %s: %s", limit, last)
	}
}

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

// config/node contains the Node's name and the user.
const (
	nodeName = "sandbox-node"
	user     = "system:kwok"
)

// leaseDuration is short, so that a test can wait until a lease expires.
const leaseDuration = 4 * time.Second

var podRange = netip.MustParsePrefix("10.99.0.0/24")

// cluster is a control plane with the Node, RBAC and namespace of config/node.
type cluster struct {
	kubernetes.Interface
	kubeconfig string // credentials of kwok's user
}

// newCluster starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler. They stop at
// the end of the test.
func newCluster(t *testing.T) cluster {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set; set it to the output of `make envtest-assets`, or run `make test-short`")
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
			t.Fatalf("creating the kubeconfig of %s: %v", name, err)
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
	admin.QPS = -1 // The test polls conditions often.
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{Interface: client, kubeconfig: kubeconfig(user)}
}

// background runs a program until the test ends. If the test fails, it logs the program's last
// lines.
func background(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // The cancel killed the program.
		if t.Failed() {
			lines := strings.Split(strings.TrimSpace(output.String()), "\n")
			t.Logf("last lines of %s:\n%s", filepath.Base(program), strings.Join(lines[max(0, len(lines)-15):], "\n"))
		}
	})
}

// start runs kwok until the test calls the returned function or ends.
func (c cluster) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	exited := make(chan error, 1)
	go func() {
		exited <- run(ctx, []string{
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
		if err := <-exited; exitCode(ctx, err) != 0 {
			t.Errorf("run() = %v, want exit code 0", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits until check returns an empty string, and fails the test after limit.
func eventually(t *testing.T, limit time.Duration, check func(context.Context) (problem string)) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, limit, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("after %s: %s", limit, last)
	}
}

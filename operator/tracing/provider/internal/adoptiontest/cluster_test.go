package adoptiontest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	waitLimit    = 30 * time.Second
	waitInterval = 50 * time.Millisecond
)

func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// cluster is an API server without controllers.
type cluster struct {
	admin      client.Client
	kubeconfig string // of the operators
	webhooks   *envtest.WebhookInstallOptions
}

// startCluster starts an API server with the kinds and webhooks of the operators until the test
// ends.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is unset; set it to the folder that `make envtest-assets` prints, or run `make test-short`")
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(testdata, "adopter/config/crd/bases"), filepath.Join(testdata, "multigroup/config/crd/bases")},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{filepath.Join(testdata, "multigroup/config/webhook")}},
	}
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("starting the test cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the test cluster: %v", err)
		}
	})
	cfg.QPS = -1 // the test polls
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), webhooks: &env.WebhookInstallOptions}
	if c.admin, err = client.New(cfg, client.Options{}); err != nil {
		t.Fatal(err)
	}
	user, err := env.AddUser(envtest.User{Name: "operator", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.kubeconfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits until check returns nil. On a timeout it reports the last error.
func eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), waitInterval, waitLimit, true, func(ctx context.Context) (bool, error) {
		now := check(ctx)
		if now == nil || ctx.Err() == nil {
			last = now // a cancelled check says nothing
		}
		return now == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v; last: %v", what, err, last)
	}
}

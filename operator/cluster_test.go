package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	operatorNamespace = "operator-tracing-system"
	operatorAccount   = "operator-tracing-manager"
	operatorUser      = "system:serviceaccount:" + operatorNamespace + ":" + operatorAccount
	trustedUser       = "trusted-user" // of --trusted-writers

	waitLimit    = 20 * time.Second
	waitInterval = 50 * time.Millisecond
)

// testCluster is an API server with the whole operator and no other controllers. The operator runs as its
// service account, as main starts it.
type testCluster struct {
	*apiServer

	probePort int
	hookPort  int
	logs      *logBuffer
	stop      func() error
}

var (
	startOnce   = sync.OnceValues(startCluster)
	stopCluster = func() error { return nil } // set by startCluster
	operatorLog = &logBuffer{}
)

// cluster returns the cluster of this test binary. The first call starts it.
func cluster(t *testing.T) *testCluster {
	t.Helper()
	c, err := startOnce()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMain(m *testing.M) {
	// Controllers of tests may start before the operator sets the same logger.
	ctrl.SetLogger((&options{logFormat: "text", verbosity: 1}).logger(operatorLog))
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, strings.Join(operatorLog.tail(50), ""))
	}
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the test cluster:", err)
		code = max(code, 1)
	}
	// serve must stop all exporters and informers.
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startCluster() (_ *testCluster, err error) {
	server, err := startServer()
	if err != nil {
		return nil, err
	}
	c := &testCluster{apiServer: server, logs: operatorLog, stop: server.stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if err := c.startOperator(); err != nil {
		return nil, err
	}
	stopCluster = c.stop
	return c, nil
}

// startOperator runs the operator in this process, as main does outside a cluster.
func (c *testCluster) startOperator() error {
	kubeconfig, err := writeKubeconfig(context.Background(), c.admin, c.env.Config, c.dir)
	if err != nil {
		return err
	}
	c.hookPort = c.env.WebhookInstallOptions.LocalServingPort
	if c.probePort, err = freePort(); err != nil {
		return err
	}
	// The operator creates spans and does not export them. The tests of the tracing library check them.
	if err := os.Setenv("OTEL_TRACES_EXPORTER", "none"); err != nil {
		return err
	}
	opts, err := parseOptions([]string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect",
		"--metrics-bind-address=0",
		"--health-probe-bind-address=127.0.0.1:" + strconv.Itoa(c.probePort),
		"--webhook-host=" + c.env.WebhookInstallOptions.LocalServingHost,
		"--webhook-port=" + strconv.Itoa(c.env.WebhookInstallOptions.LocalServingPort),
		"--webhook-cert-dir=" + c.env.WebhookInstallOptions.LocalServingCertDir,
		"--trusted-writers=" + trustedUser,
		"--log-level=debug",
		"--log-format=text",
	}, func(name string) (string, bool) {
		value, ok := map[string]string{"POD_NAMESPACE": operatorNamespace}[name]
		return value, ok
	}, io.Discard)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, opts, opts.logger(c.logs)) }()
	stopServer := c.stop
	c.stop = func() error {
		cancel()
		return errors.Join(<-ended, stopServer())
	}
	return wait.PollUntilContextTimeout(ctx, waitInterval, waitLimit, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-ended:
			ended <- err
			return false, fmt.Errorf("running the operator: %w\n%s", err, c.logs)
		default:
			return c.probe(ctx, "readyz") == nil, nil
		}
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// eventually waits until check returns nil. If it does not within waitLimit, eventually fails the test with
// the last error.
func eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), waitInterval, waitLimit, true, func(ctx context.Context) (bool, error) {
		now := check(ctx)
		if now == nil || ctx.Err() == nil {
			last = now // the error of a cancelled check says nothing
		}
		return now == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v; last: %v", what, err, last)
	}
}

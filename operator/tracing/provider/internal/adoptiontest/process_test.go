package adoptiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is the running operator.
type process struct {
	cmd     *exec.Cmd
	metrics string // URL
	output  lockedBuffer
	ended   chan error
}

// start runs the program. The test's cleanup ends it at the latest.
func start(t *testing.T, program string, arguments, environment []string) *process {
	t.Helper()
	address := freeAddress(t)
	p := &process{metrics: "http://" + address + "/metrics", ended: make(chan error, 1)}
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	p.cmd = exec.CommandContext(ctx, program, append(arguments, "--metrics-bind-address="+address)...)
	p.cmd.Env = environment
	p.cmd.Dir = filepath.Dir(program)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.ended <- p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		kill()
		for range p.ended { // until it is closed
		}
		if t.Failed() {
			t.Logf("the operator's log:\n%s", &p.output)
		}
	})
	return p
}

// terminate stops the program as a kubelet does.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping the operator: %v", err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("operator exited: %v", err)
		}
	case <-time.After(waitLimit):
		t.Fatalf("the operator still runs %v after SIGTERM", waitLimit)
	}
}

// freeAddress returns an unused loopback address. A metrics server does not report a port that it
// chose itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// busy matches a metric of a controller that reconciles, or of a queue that is not empty.
var busy = regexp.MustCompile(`(?m)^(controller_runtime_active_workers|workqueue_depth)\{.*\} [1-9]`)

// idle returns an error while the operator is working, because stopping it would cancel its writes.
func (p *process) idle(ctx context.Context) error {
	if err := p.running(); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metrics, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte("\ncontroller_runtime_active_workers{")) {
		return errors.New("no controller is running")
	}
	if metric := busy.Find(text); metric != nil {
		return fmt.Errorf("busy: %s", metric)
	}
	return nil
}

// running returns an error if the program exited.
func (p *process) running() error {
	select {
	case err := <-p.ended:
		return fmt.Errorf("operator exited early: %w", errors.Join(err, errors.New("see its log")))
	default:
		return nil
	}
}

// lockedBuffer is a buffer that the process writes and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

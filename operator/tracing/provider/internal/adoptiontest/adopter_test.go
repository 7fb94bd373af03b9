package adoptiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	testdata    = "../../../testdata"
	adoptedTest = "adopted/cache_controller_test.go" // in testdata, for the operator after its adoption

	maxLines = 10 // that adoption may add or change
)

// patches are those of the document, in their order: the first adopts the library, and the others add to it.
var patches = []string{"adopt.patch", "queue.patch", "webhook.patch"}

// adopter is a copy of the small operator, in a workspace with the library.
type adopter struct {
	folder string
	work   string // its go.work
}

// copyAdopter puts the copy where no workspace and no repository is around it.
func copyAdopter(t *testing.T) *adopter {
	t.Helper()
	root := t.TempDir()
	a := &adopter{folder: filepath.Join(root, "adopter"), work: filepath.Join(root, "go.work")}
	if err := os.CopyFS(a.folder, os.DirFS(filepath.Join(testdata, "adopter"))); err != nil {
		t.Fatal(err)
	}
	workspace, err := filepath.Abs("../../../../../scripts/workspace.sh")
	if err != nil {
		t.Fatal(err)
	}
	// In a workspace, an import needs no line in go.mod: `go get` would write those.
	a.run(t, workspace, a.folder)
	return a
}

// run runs a command in the copy. Its flags for go are those of all builds of this repository, so that the cache is one.
func (a *adopter) run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = a.folder
	cmd.Env = append(os.Environ(), "GOWORK="+a.work, "GOFLAGS=-trimpath", "CGO_ENABLED=0", "GIT_CEILING_DIRECTORIES="+filepath.Dir(a.folder))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// apply applies a patch of testdata.
func (a *adopter) apply(t *testing.T, name string) {
	t.Helper()
	patch, err := filepath.Abs(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	a.run(t, "git", "apply", patch)
}

// build builds the program.
func (a *adopter) build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(filepath.Dir(a.folder), "manager")
	a.run(t, "go", "build", "-o", program, "./cmd")
	return program
}

// process is the operator, running.
type process struct {
	cmd     *exec.Cmd
	metrics string // URL
	output  lockedBuffer
	ended   chan error
}

// start runs the program. It ends with the test at the latest.
func start(t *testing.T, program string, environment ...string) *process {
	t.Helper()
	address := freeAddress(t)
	p := &process{metrics: "http://" + address + "/metrics", ended: make(chan error, 1)}
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	p.cmd = exec.CommandContext(ctx, program, "--health-probe-bind-address=127.0.0.1:0", "--metrics-bind-address="+address)
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

// terminate ends the program as a kubelet does.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("ending the operator: %v", err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the operator ended: %v", err)
		}
	case <-time.After(waitLimit):
		t.Fatalf("the operator has not ended %v after SIGTERM", waitLimit)
	}
}

// freeAddress is one of loopback on which nothing listens: a metrics server does not tell which port it got.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// idle is an error while the controller's worker reconciles: ending the program would cancel what it writes.
func (p *process) idle(ctx context.Context) error {
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
	if !strings.Contains(string(text), "\ncontroller_runtime_active_workers{controller=\"cache\"} 0\n") {
		return errors.New("it reconciles")
	}
	return nil
}

// running is an error once the program has ended.
func (p *process) running() error {
	select {
	case err := <-p.ended:
		return fmt.Errorf("the operator ended early: %w", errors.Join(err, errors.New("see its log")))
	default:
		return nil
	}
}

// lockedBuffer is written by the process and read by the test.
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

// changedLines counts the lines that a unified diff adds, changes or removes; one that replaces another counts once.
func changedLines(patch string) int {
	total, plus, minus := 0, 0, 0
	for line := range strings.Lines(patch) {
		switch {
		case strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "--- "):
		case strings.HasPrefix(line, "+"):
			plus++
			continue
		case strings.HasPrefix(line, "-"):
			minus++
			continue
		}
		total += max(plus, minus)
		plus, minus = 0, 0
	}
	return total + max(plus, minus)
}

func TestChangedLines(t *testing.T) {
	for patch, want := range map[string]int{
		"":                                    0,
		"--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n": 0,
		"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n c\n+d\n-e\n": 2,
		" a\n-b\n-c\n+d\n": 2,
		" a\n+b\n+c\n+d":   3,
	} {
		if got := changedLines(patch); got != want {
			t.Errorf("%d lines are changed, want %d:\n%s", got, want, patch)
		}
	}
}

// TestPatchIsSmall holds what is promised: ten lines, in an operator that knew nothing of tracing.
func TestPatchIsSmall(t *testing.T) {
	if got := changedLines(read(t, filepath.Join(testdata, patches[0]))); got == 0 || got > maxLines {
		t.Errorf("the patch changes %d lines, want at most %d", got, maxLines)
	}
	operator := os.DirFS(filepath.Join(testdata, "adopter"))
	err := fs.WalkDir(operator, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Base(path) == "go.sum" {
			return err
		}
		content, err := fs.ReadFile(operator, path)
		for _, word := range []string{"tracing", "opentelemetry", "otel"} {
			if strings.Contains(strings.ToLower(string(content)), word) {
				t.Errorf("%s knows of %s before it is adopted", path, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

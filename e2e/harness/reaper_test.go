package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parentVariable makes this test binary the parent of a reaper, as a test suite is.
const parentVariable = "E2E_TEST_PARENT"

func TestMain(m *testing.M) {
	becomeReaper()
	if root := os.Getenv(parentVariable); root != "" {
		parent(root)
	}
	os.Exit(m.Run())
}

// parent starts a reaper, prints a line, and waits for a signal. SIGUSR1 makes it panic.
func parent(root string) {
	ctx := context.Background()
	if _, err := startReaper(ctx, root, os.Stderr); err != nil {
		panic(err)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	fmt.Println("has a sandbox")
	<-asked
	panic("asked to")
}

// fakeSandbox returns a program that writes a diary of its commands except status. After up, status
// reports a running sandbox. The reaper finds the program in the environment.
func fakeSandbox(t *testing.T, upCommand string) (p *program, diary func() string) {
	t.Helper()
	folder := t.TempDir()
	path, log := filepath.Join(folder, "sandbox"), filepath.Join(folder, "diary")
	t.Setenv(programVariable, path)
	script := "#!/bin/sh\ncd " + folder + "\nif [ \"$1\" = status ]; then state=down; [ ! -e up ] || state=up; echo '{\"state\":\"'$state'\"}'; exit; fi\necho \"$1 starts\" >>" + log + "\nif [ \"$1\" = up ]; then\n" + upCommand + "\ntouch up\nfi\necho \"$1 ends\" >>" + log + "\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &program{path: path, root: folder}, func() string {
		data, _ := os.ReadFile(log)
		return strings.ReplaceAll(strings.TrimSpace(string(data)), "\n", ", ")
	}
}

// diaryIs waits until the diary has these entries.
func diaryIs(t *testing.T, diary func() string, want string) error {
	t.Helper()
	return Eventually(t.Context(), 20*time.Second, "the diary", func(context.Context) error {
		if got := diary(); got != want {
			return fmt.Errorf("the diary is %q, want %q", got, want)
		}
		return nil
	})
}

const complete = "up starts, up ends, down starts, down ends"

func TestReaper(t *testing.T) {
	p, diary := fakeSandbox(t, "true")
	g, err := startReaper(t.Context(), p.root, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if got := diary(); got != "up starts, up ends" {
		t.Errorf("while the tests run the diary is %q", got)
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if got := diary(); got != complete {
		t.Errorf("the diary is %q, want %q", got, complete)
	}
}

func TestReaperFailedUp(t *testing.T) {
	p, diary := fakeSandbox(t, "echo no engine >&2; exit 1")
	var log bytes.Buffer
	_, err := startReaper(t.Context(), p.root, &log)
	if err == nil || !strings.Contains(err.Error(), "bringing the sandbox up: running sandbox up: exit status 1") {
		t.Errorf("error = %v, want the error of sandbox up", err)
	}
	if !strings.Contains(log.String(), "no engine") {
		t.Errorf("log = %q, want the output of the sandbox", log.String())
	}
	if got, want := diary(), "up starts, down starts, down ends"; got != want {
		t.Errorf("the diary is %q, want %q", got, want)
	}
}

func TestReaperFailedDown(t *testing.T) {
	p, _ := fakeSandbox(t, "true")
	g, err := startReaper(t.Context(), p.root, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path, []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err == nil {
		t.Error("no error for a sandbox that is not taken down")
	}
}

// TestReaperInterruptedUp tests that SIGTERM ends a slow up, and that the reaper takes its result
// down.
func TestReaperInterruptedUp(t *testing.T) {
	p, diary := fakeSandbox(t, "trap 'echo interrupted >>diary; exit 1' TERM; while true; do sleep 0.05; done")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		if err := diaryIs(t, diary, "up starts"); err != nil {
			t.Error(err)
		}
	}()
	if _, err := startReaper(ctx, p.root, os.Stderr); err == nil {
		t.Error("no error for an interrupted up")
	}
	if got, want := diary(), "up starts, interrupted, down starts, down ends"; got != want {
		t.Errorf("the diary is %q, want %q", got, want)
	}
}

// TestReaperOutlivesTheTests tests that the sandbox is taken down however the tests end.
func TestReaperOutlivesTheTests(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "interrupted": syscall.SIGINT, "terminated": syscall.SIGTERM, "panicked": syscall.SIGUSR1} {
		t.Run(name, func(t *testing.T) {
			p, diary := fakeSandbox(t, "true")
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), parentVariable+"="+p.root)
			cmd.Dir = p.root
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, len("has a sandbox\n"))
			if _, err := stdout.Read(line); err != nil || string(line) != "has a sandbox\n" {
				t.Fatalf("parent printed %q, %v", line, err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if err := diaryIs(t, diary, complete); err != nil {
				t.Error(err)
			}
		})
	}
}

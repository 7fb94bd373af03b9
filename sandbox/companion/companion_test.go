package companion

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestMain is also the program of the processes: companions run a copy of the program that starts
// them.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 {
		folder, _ := strings.CutPrefix(os.Args[3], "--state-dir=")
		switch os.Args[1] {
		case Name:
			os.Exit(observer(folder))
		case GateName:
			os.Exit(gate(folder))
		}
	}
	os.Exit(m.Run())
}

// script is the file in the state folder that says what the observer of a test does.
const script = "script"

// observer prints the lines of the script and runs until SIGTERM, or exits if a line is exit.
func observer(folder string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	text, err := os.ReadFile(filepath.Join(folder, script))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for line := range strings.Lines(string(text)) {
		if line == "exit\n" {
			return 1
		}
		fmt.Print(line)
	}
	<-ctx.Done()
	return 0
}

// newSession returns a sandbox whose observer follows the script. Its processes end with the test.
func newSession(t *testing.T, lines string) *session.Session {
	t.Helper()
	dir, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	s := &session.Session{Options: session.Options{Name: "test"}, Dir: dir, Record: state.Record{Name: "test"}}
	if err := s.Save(); err != nil { // It creates the folder.
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir.Path, script), []byte(lines), 0o600), os.WriteFile(dir.Kubeconfig(), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context()) // It has ended.
		if err := errors.Join(Of(s).Stop(ctx), GateOf(s).Stop(ctx)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func quiet(string, ...any) {}

// eventually waits until a condition is met.
func eventually(t *testing.T, met func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return met(), nil })
	if err != nil {
		t.Error(err)
	}
}

func status(t *testing.T, o Observer) provider.Component {
	t.Helper()
	shown, err := o.Status()
	if err != nil || shown.Name != Name {
		t.Fatalf("Status = %+v, %v", shown, err)
	}
	return shown
}

func TestObserverRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	o := Of(newSession(t, "not observing widgets: forbidden\nobserving https://127.0.0.1:1\n"))
	if got := status(t, o); got.Ready || len(got.Processes) > 0 || !strings.HasPrefix(got.Message, "observer is not running") {
		t.Errorf("before the start: %+v", got)
	}
	if err := o.Start(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	first := status(t, o)
	if !first.Ready || first.Since == nil || len(first.Processes) != 1 || first.Processes[0].PID == 0 || first.Processes[0].Log != o.table().LogPath(Name) {
		t.Fatalf("after the start: %+v", first)
	}
	if err := o.Start(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	if again := status(t, o); again.Processes[0].PID != first.Processes[0].PID {
		t.Errorf("a second start replaced process %d by %d", first.Processes[0].PID, again.Processes[0].PID)
	}
	var log strings.Builder
	if err := o.Logs(t.Context(), &log, provider.LogOptions{Lines: 1}); err != nil || log.String() != "observing https://127.0.0.1:1\n" {
		t.Errorf("log %q, %v", log.String(), err)
	}
	for range 2 { // The second time, it does not run.
		if err := o.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := status(t, o); got.Ready || !strings.HasSuffix(got.Message, "observing https://127.0.0.1:1") {
		t.Errorf("after the stop: %+v", got)
	}
}

func TestObserverThatExits(t *testing.T) {
	t.Parallel()
	o := Of(newSession(t, "reading the kubeconfig: no such file\nexit\n"))
	var died *process.DiedError
	if err := o.Start(t.Context(), quiet); !errors.As(err, &died) || died.Tail != "reading the kubeconfig: no such file" {
		t.Errorf("Start = %v, want a DiedError with the log", err)
	}
	if got := status(t, o); got.Ready || !strings.Contains(got.Message, "no such file") {
		t.Errorf("status %+v", got)
	}
}

func TestObserverThatListsNothing(t *testing.T) {
	t.Parallel()
	o := Of(newSession(t, "dialing\n"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		eventually(t, func() bool { return o.table().Tail(Name, 1) == "dialing" })
		cancel()
	})
	err := o.Start(ctx, quiet)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "has not listed the objects yet") {
		t.Errorf("Start = %v", err)
	}
}

func TestHasListed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ log, want string }{
		{"", "it wrote nothing"},
		{"dialing\n", "dialing"},
		{"not observing widgets: forbidden\n", "not observing widgets: forbidden"},
		{"I am observing https://a\n", "I am observing https://a"},
		{"observing https://a\n", ""},
		{"dialing\nobserving https://a\nlater\n", ""},
		{"observing", "observing"}, // The line is not complete.
	} {
		o := Of(newSession(t, ""))
		path := o.table().LogPath(Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(test.log), 0o600)); err != nil {
			t.Fatal(err)
		}
		err := o.hasListed()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), ": "+test.want)) {
			t.Errorf("log %q: %v, want %q", test.log, err, test.want)
		}
	}
}

func TestObserverThatIsNotWanted(t *testing.T) {
	t.Parallel()
	s := newSession(t, "observing a\n")
	o := Of(s)
	if !o.Wanted() {
		t.Error("a new sandbox has no observer")
	}
	if err := o.Start(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	s.Record.NotObserved = true
	said := ""
	if err := o.Start(t.Context(), func(format string, args ...any) { said += fmt.Sprintf(format, args...) }); err != nil || said != "off" || o.Wanted() {
		t.Errorf("Start = %v, said %q", err, said)
	}
	if got := status(t, o); got.Ready {
		t.Errorf("it still runs: %+v", got)
	}
}

func TestSuspendedObserver(t *testing.T) {
	t.Parallel()
	o := Of(newSession(t, "observing a\n"))
	if err := o.Start(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(status(t, o).Processes[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return !status(t, o).Ready })
	if got := status(t, o); got.Message != "was stopped by a signal" {
		t.Errorf("status %+v", got)
	}
	if err := o.Start(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	if got := status(t, o); !got.Ready {
		t.Errorf("status after Start %+v", got)
	}
}

func TestSetProgress(t *testing.T) {
	t.Parallel()
	s := newSession(t, "")
	for _, revision := range []uint64{7, 1<<64 - 1} {
		if err := Of(s).SetProgress(revision); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(s.Dir.Observed()); string(got) != fmt.Sprint(revision) || err != nil {
			t.Errorf("SetProgress(%d) wrote %q, %v", revision, got, err)
		}
	}
	if err := os.RemoveAll(s.Dir.Path); err != nil {
		t.Fatal(err)
	}
	if err := Of(s).SetProgress(8); err == nil {
		t.Error("no error without a folder")
	}
}

// The copy of the program replaces the copy of an earlier build, and is written once.
func TestProgram(t *testing.T) {
	t.Parallel()
	s := newSession(t, "")
	earlier := filepath.Join(s.Dir.Programs(), "sandbox-0123456789abcdef")
	if err := errors.Join(os.MkdirAll(s.Dir.Programs(), 0o700), os.WriteFile(earlier, nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	path, err := Of(s).program()
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.Stat(path)
	if err != nil || written.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", written, err)
	}
	if _, err := os.Stat(earlier); !os.IsNotExist(err) {
		t.Errorf("the earlier build is left: %v", err)
	}
	again, err := Of(s).program()
	if err != nil || again != path {
		t.Fatalf("%q, %v, want %q", again, err, path)
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(now, written) || now.ModTime() != written.ModTime() {
		t.Errorf("the program was written twice: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(s.Dir.Programs(), "*")); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("KUBECONFIG", "/a:/b")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "squeamish")
	env := strings.Join(environment(), "\n")
	if !strings.Contains(env, "KUBECONFIG=/a:/b") || strings.Contains(env, "squeamish") {
		t.Errorf("environment:\n%s", env)
	}
}

package standin

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestArguments(t *testing.T) {
	t.Parallel()
	own := []string{"--port=1", "--leader-elect=false"}
	for command, want := range map[string]string{
		"go run ./cmd":                     "go run ./cmd --port=1 --leader-elect=false",
		"go run ./cmd --zap-devel":         "go run ./cmd --zap-devel --port=1 --leader-elect=false",
		"dlv debug ./cmd":                  "dlv debug ./cmd -- --port=1 --leader-elect=false",
		"/usr/bin/dlv exec manager":        "/usr/bin/dlv exec manager -- --port=1 --leader-elect=false",
		"dlv debug ./cmd -- --zap-devel":   "dlv debug ./cmd -- --zap-devel --port=1 --leader-elect=false",
		"sh -c script sh {}":               "sh -c script sh --port=1 --leader-elect=false",
		"env A=b {} manager --last":        "env A=b --port=1 --leader-elect=false manager --last",
		"dlv debug ./cmd -- {} --port=2":   "dlv debug ./cmd -- --port=1 --leader-elect=false --port=2",
		"manager --config={}":              "manager --config={} --port=1 --leader-elect=false",
		"dlvish debug":                     "dlvish debug --port=1 --leader-elect=false",
		"dlv test --build-flags=-v ./cmd/": "dlv test --build-flags=-v ./cmd/ -- --port=1 --leader-elect=false",
	} {
		before := strings.Fields(command)
		if got := strings.Join(Arguments(before, own), " "); got != want {
			t.Errorf("Arguments(%q) = %q, want %q", command, got, want)
		}
		if strings.Join(before, " ") != command {
			t.Errorf("Arguments(%q) changed its argument to %q", command, before)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	got := Environment([]string{"HOME=/user", "PATH=/bin", "KUBECONFIG=/user/config", "EDITOR=vi"},
		[]string{"HOME=/operator", "PATH=/none", "KUBECONFIG=/operator/config", "TMPDIR=/t", "EMPTY="})
	slices.Sort(got)
	want := []string{"EDITOR=vi", "EMPTY=", "HOME=/user", "KUBECONFIG=/operator/config", "PATH=/bin", "TMPDIR=/t"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Environment (-want +got):\n%s", diff)
	}
}

// TestKeep restores the operator after a command that was killed, and not after one that restored it.
func TestKeep(t *testing.T) {
	t.Parallel()
	spec := process.Spec{Name: "operator", Path: "/manager", Args: []string{"--a"}, Env: []string{"B=c"}}
	text := func(all ...message) string {
		var out strings.Builder
		for _, m := range all {
			if err := json.NewEncoder(&out).Encode(m); err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	for name, test := range map[string]struct {
		in   string
		want bool
	}{
		"killed":                 {text(message{Operator: &spec}), true},
		"killed while it writes": {text(message{Operator: &spec}) + `{"pid":12`, true},
		"done":                   {text(message{Operator: &spec}, message{Done: true}), false},
		"nothing":                {"", false},
		"no first message":       {`{"oper`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var restored []process.Spec
			err := Keep(t.Context(), strings.NewReader(test.in), func(_ context.Context, s process.Spec) error {
				restored = append(restored, s)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []process.Spec
			if test.want {
				want = []process.Spec{spec}
			}
			if diff := cmp.Diff(want, restored); diff != "" {
				t.Errorf("restored (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKeepEndsTheCommand ends a command that has a child, which ignores SIGTERM, before the operator
// starts.
func TestKeepEndsTheCommand(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "child")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `sh -c 'trap "" TERM; echo $$ > "$0"; while :; do sleep 0.1; done' "$0" & wait`, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	err := wait.PollUntilContextTimeout(t.Context(), poll, time.Minute, true, func(context.Context) (bool, error) {
		data, err := os.ReadFile(file)
		if err != nil || len(data) == 0 {
			return false, nil
		}
		child, err = strconv.Atoi(strings.TrimSpace(string(data)))
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	in := `{"operator":{"name":"operator","path":"/manager"}}{"pid":` + strconv.Itoa(cmd.Process.Pid) + `}`
	restored := false
	if err := Keep(t.Context(), strings.NewReader(in), func(context.Context, process.Spec) error { restored = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !restored {
		t.Errorf("the command ended with %v, restored %t; want that it was ended, and true", err, restored)
	}
	if tree := treeOf(child); len(tree) > 0 && !isZombie(tree[0]) {
		t.Errorf("its child %d still runs", child)
	}
}

// TestKeepAfterTheCommand restores the operator and ends no process, because another process can have the
// PID of a command that has ended.
func TestKeepAfterTheCommand(t *testing.T) {
	t.Parallel()
	other := exec.CommandContext(t.Context(), "cat")
	input, err := other.StdinPipe()
	if err == nil {
		err = other.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	in := `{"operator":{"name":"operator"}}{"pid":` + strconv.Itoa(other.Process.Pid) + `}{"ended":true}`
	restored := false
	if err := Keep(t.Context(), strings.NewReader(in), func(context.Context, process.Spec) error { restored = true; return nil }); err != nil || !restored {
		t.Errorf("Keep = %v, restored %t; want nil, true", err, restored)
	}
	_ = input.Close() // cat exits with 0, unless a signal ended it.
	if err := other.Wait(); err != nil {
		t.Errorf("the other process ended with %v, want nil", err)
	}
}

// TestDismiss ends the keeper.
func TestDismiss(t *testing.T) {
	t.Parallel()
	k, err := StartKeeper("/bin/cat", nil, process.Spec{Name: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Watch(1); err != nil {
		t.Error(err)
	}
	if err := k.Unwatch(); err != nil {
		t.Error(err)
	}
	if err := k.Dismiss(); err != nil {
		t.Errorf("Dismiss = %v, want that it ends at the end of its input", err)
	}
	if _, err := StartKeeper(filepath.Join(t.TempDir(), "none"), nil, process.Spec{}); err == nil {
		t.Error("StartKeeper of no program returned no error")
	}
}

package embedded

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// repository is the root of the repository.
const repository = "../../.."

// TestRun runs programs in the place of the operator: one that fails, and a debugger, which stops in the
// operator's webhook. Then it kills the command. The sandbox's operator runs again after each.
func TestRun(t *testing.T) {
	s := newSandbox(t)
	s.WantRefusal(nil, []string{"run", "--", "true"}, "the sandbox is not up")
	s.up()
	before := s.wantWhole()
	s.WantExit(2, nil, []string{"run", "--", "no-such-program"}, "finding the command", "no-such-program")
	s.WantExit(2, nil, []string{"run"}, "expected a command")
	if after := s.wantWhole(); after[component.Operator] != before[component.Operator] {
		t.Error("a wrong command restarted the operator")
	}
	out, err := s.Run(t.Context(), upLimit, "run", "--", "sh", "-c", `echo "$KUBECONFIG" "$@"; exit 7`, "sh", "{}")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.Contains(out, s.Dir) || !strings.Contains(out, "--webhook-port=") {
		t.Errorf("run: %v, want exit code 7 and the operator's kubeconfig and arguments:\n%s", err, out)
	}
	if after := s.wantWhole(); after[component.Operator] == before[component.Operator] {
		t.Error("the operator was not stopped")
	}

	command, debugger := s.debug()
	status, _ := s.Status()
	if status.State != provider.StateDegraded || !strings.Contains(messages(status), "runs a command in its place") {
		t.Errorf("status: %s, %q; want that a command runs in the operator's place", status.State, messages(status))
	}
	created := make(chan error, 1)
	client := s.client() // Fatal may only be called by the test's goroutine.
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	head := newHead("stopped")
	go func() { created <- client.Create(ctx, head) }()
	if function := debugger.stop(t); !strings.HasSuffix(function, "HeadDefaulter.Default") {
		t.Errorf("the debugger stopped in %q, want the webhook", function)
	}
	debugger.resume(t)
	if err := <-created; err != nil {
		t.Errorf("creating the Head: %v", err)
	}
	s.wantTrace("debugged")

	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err == nil {
		t.Error("the killed command exited with 0")
	}
	s.wait("the sandbox's operator", func() bool {
		status, _ := s.Status()
		return status.State == provider.StateUp && len(s.processes()) == len(pidsOf(status))
	})
	s.wantWhole()
	s.wantTrace("restored")
}

// debugger is a connection to dlv. See its package service/rpc2.
type debugger struct {
	client  *rpc.Client
	running *rpc.Call
}

type debuggerState struct {
	State struct {
		CurrentThread *struct {
			Function *struct {
				Name string `json:"name"`
			} `json:"function"`
		} `json:"currentThread"`
	}
}

var listening = regexp.MustCompile(`listening at: (\S+)`)

// debug runs the operator in a debugger until it serves its webhook, with a breakpoint there.
func (s *sandbox) debug() (*exec.Cmd, *debugger) {
	s.T.Helper()
	folder := s.T.TempDir()
	operator := filepath.Join(folder, "operator")
	build := exec.CommandContext(s.T.Context(), "go", "build", "-gcflags=github.com/operator-tracing/sandbox/operator/...=-N -l", "-o", operator, repository+"/operator")
	if out, err := build.CombinedOutput(); err != nil {
		s.T.Fatalf("building the operator: %v\n%s", err, out)
	}
	tool := exec.CommandContext(s.T.Context(), "go", "tool", "-n", "-modfile="+filepath.Join(repository, "scripts", "dlv.mod"), "dlv")
	tool.Env = append(os.Environ(), "GOWORK=off")
	path, err := tool.Output()
	if err != nil {
		s.T.Fatalf("building dlv: %v", err)
	}
	dlv := strings.TrimSpace(string(path))
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		s.T.Fatal(err)
	}
	defer log.Close()
	cmd := s.Command(context.Background(), "run", "--", dlv, "exec", "--headless", "--listen=127.0.0.1:0", "--api-version=2", operator)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 0
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) }) // It may have ended.
	var address string
	s.Wait(upLimit, "the debugger", func() bool {
		text, err := os.ReadFile(log.Name())
		if found := listening.FindSubmatch(text); err == nil && found != nil {
			address = string(found[1])
		}
		return address != ""
	})
	dialer := net.Dialer{Timeout: waitLimit}
	connection, err := dialer.DialContext(s.T.Context(), "tcp", address)
	if err != nil {
		s.T.Fatal(err)
	}
	d := &debugger{client: jsonrpc.NewClient(connection)}
	s.T.Cleanup(func() { _ = d.client.Close() })
	d.call(s.T, "CreateBreakpoint", map[string]any{"Breakpoint": map[string]any{"name": "webhook", "functionName": "github.com/operator-tracing/sandbox/operator/webhook.HeadDefaulter.Default"}})
	d.start()
	hook := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Record().ComponentPorts[component.OperatorHook]))
	s.Wait(upLimit, "the webhook in the debugger", func() bool {
		c, err := dialer.DialContext(s.T.Context(), "tcp", hook)
		if err == nil {
			_ = c.Close() // It was only opened.
		}
		return err == nil
	})
	return cmd, d
}

func (d *debugger) call(t *testing.T, method string, argument any) {
	t.Helper()
	if err := d.client.Call("RPCServer."+method, argument, new(any)); err != nil {
		t.Fatalf("%s of the debugger: %v", method, err)
	}
}

// start lets the program run until a breakpoint.
func (d *debugger) start() {
	d.running = d.client.Go("RPCServer.Command", map[string]any{"name": "continue"}, &debuggerState{}, nil)
}

// stop waits until the program stops, and returns the function.
func (d *debugger) stop(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	select {
	case <-ctx.Done():
		t.Fatalf("the debugger did not stop within %s", waitLimit)
	case call := <-d.running.Done:
		state := call.Reply.(*debuggerState).State
		if call.Error != nil || state.CurrentThread == nil || state.CurrentThread.Function == nil {
			t.Fatalf("the debugger stopped with %+v: %v", state, call.Error)
		}
		return state.CurrentThread.Function.Name
	}
	return ""
}

// resume deletes the breakpoint, and lets the program run.
func (d *debugger) resume(t *testing.T) {
	t.Helper()
	d.call(t, "ClearBreakpoint", map[string]any{"Name": "webhook"})
	d.start()
}

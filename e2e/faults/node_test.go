package faults

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

const node = name + "-control-plane"

// TestKilledNode kills the node together with its monitor, twice, as the end of a CI job or a power
// failure does. podman then reports that the node is up, and its first attempts to restart, stop or
// remove it fail. up must repair it each time, and down must remove it.
func TestKilledNode(t *testing.T) {
	s := newSandbox(t)
	s.wantOutcome(s.up(), "created")
	for range 2 {
		s.killNode()
		s.wantOutcome(s.up(), "recreated", "created", "restarted")
		s.WantUp()
	}
	s.killNode()
	out, err := s.Run(t.Context(), downLimit, "down")
	if err != nil {
		t.Fatalf("down: %v\n%s", err, out)
	}
	wantNothingLeft(t)
}

// TestKilledNeighbour kills the node of one sandbox. The engine's rules still redirect its ports,
// so another sandbox must choose other ports, although no process listens on them.
func TestKilledNeighbour(t *testing.T) {
	first := newSandbox(t)
	first.up()
	first.killNode()

	second := newSandboxNamed(t, name+"-2")
	second.wantOutcome(second.up(), "created")
	second.WantUp()
	if first, second := first.Record().Ports, second.Record().Ports; first[component.UI] == second[component.UI] || first[component.Query] == second[component.Query] {
		t.Errorf("the ports of the second sandbox, %+v, are equal to the first, %+v", second, first)
	}
	asked := "--jaeger-query-port=" + strconv.Itoa(first.Record().Ports[component.Query])
	newSandboxNamed(t, name+"-3").WantRefusal(nil, []string{"up", asked}, "in use by a packet filter rule")

	first.up()
	first.WantUp()
	second.WantUp()
}

// TestStoppedNode stops the node, as a reboot does. up starts it again with its content.
func TestStoppedNode(t *testing.T) {
	s := newSandbox(t)
	s.up()
	s.engine("stop", node)
	s.wantOutcome(s.up(), "restarted")
	s.WantUp()
	s.wantOutcome(s.up(), "already up")
}

// TestInterruptedUp kills up while kind creates the cluster, and then interrupts it there, as
// Ctrl-C does.
func TestInterruptedUp(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			s := newSandbox(t)
			s.interruptWhileCreating(signal)
			s.wantOutcome(s.up(), "recreated", "created")
			s.WantUp()
		})
	}
}

// interruptWhileCreating starts up and sends it a signal when the record shows that the cluster is
// being created and its node exists.
func (s *sandbox) interruptWhileCreating(signal os.Signal) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), upLimit)
	defer cancel()
	cmd := s.Command(ctx, "up")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	for !s.nodeIsBeingMade(ctx) {
		if ctx.Err() != nil {
			s.T.Fatalf("waiting for up to create the node: %v\n%s", ctx.Err(), out.String())
		}
	}
	if err := cmd.Process.Signal(signal); err != nil {
		s.T.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		s.T.Fatalf("up that got %s ended well:\n%s", signal, out.String())
	}
}

func (s *sandbox) nodeIsBeingMade(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
	data, err := os.ReadFile(s.Dir + "/state.json")
	return err == nil && strings.Contains(string(data), `"creating": true`) && strings.Contains(containers(s.T), node)
}

// killNode sends SIGKILL to the node and to the process that watches it.
func (s *sandbox) killNode() {
	s.T.Helper()
	pids := []string{s.engine("inspect", "--format", "{{.State.Pid}}", node)}
	if s.Record().Provider == "podman" {
		file := s.engine("inspect", "--format", "{{.ConmonPidFile}}", node)
		monitor, err := os.ReadFile(file)
		if err != nil {
			s.T.Fatalf("finding the node's monitor: %v", err)
		}
		pids = append([]string{strings.TrimSpace(string(monitor))}, pids...) // The monitor first: it must not see the node end.
	}
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		if err != nil || pid <= 1 {
			s.T.Fatalf("reading a process id: %q: %v", text, err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			s.T.Fatalf("killing process %d: %v", pid, err)
		}
	}
}

// wantNothingLeft fails the test if a container, volume or network of the sandbox exists in any
// engine that answers.
func wantNothingLeft(t *testing.T) {
	t.Helper()
	if left := containers(t); strings.Contains(left, name) {
		t.Errorf("containers remain:\n%s", left)
	}
	for _, args := range [][]string{{"volume", "ls", "--quiet", "--filter", "label=" + node}, {"network", "ls", "--quiet", "--filter", "name=" + name}} {
		if left := ask(t, args...); left != "" {
			t.Errorf("%s: remaining: %s", strings.Join(args, " "), left)
		}
	}
}

func containers(t *testing.T) string { return ask(t, "ps", "--all", "--format", "{{.Names}}") }

// ask runs a command of the engine that CI names, or podman.
func ask(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), engineName(), args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", engineName(), strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// TestTwoUps runs two at once: one waits for the other, and then finds a complete sandbox.
func TestTwoUps(t *testing.T) {
	s := newSandbox(t)
	type result struct {
		out string
		err error
	}
	results := make(chan result, 2)
	for range 2 {
		go func() {
			out, err := s.Run(t.Context(), 2*upLimit, "up")
			results <- result{out, err}
		}()
	}
	did := map[string]int{}
	for range 2 {
		r := <-results
		if r.err != nil {
			t.Fatalf("up: %v\n%s", r.err, r.out)
		}
		did[outcome(r.out)]++
	}
	if did["created"] != 1 || did["already up"] != 1 {
		t.Errorf("the two did %v about the cluster, want one to create it and one to find it", did)
	}
}

// TestAddressTaken stops the node and another container gets its address, as a reboot can do.
// The node gets a new address, which must be in its manifests and in the API server's certificate.
func TestAddressTaken(t *testing.T) {
	s := newSandbox(t)
	s.up()
	const address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
	before := s.engine("inspect", "--format", address, node)
	image := s.engine("inspect", "--format", "{{.Config.Image}}", node)
	s.engine("stop", node)
	taker := name + "-address-taker"
	s.engine("run", "--detach", "--rm", "--name="+taker, "--network="+name, "--ip="+before, "--entrypoint=sleep", image, "600")
	defer s.engine("kill", taker) // Before the sandbox is removed, whose network it uses.

	s.wantOutcome(s.up(), "restarted")
	s.WantUp()
	if after := s.engine("inspect", "--format", address, node); after == before {
		t.Errorf("the node still has the address %s, so the test has no effect", after)
	}
}

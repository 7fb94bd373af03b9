package faults

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TestKilledUp kills up right after each of its steps, twice. First without a sandbox: each up
// continues after the previous kill, and the last one completes the sandbox. Then with a running
// sandbox, in which up can end after each kill. An up that ends shows the sample's trace, and
// nothing exists twice.
func TestKilledUp(t *testing.T) {
	s := newSandbox(t)
	tmp := t.TempDir()
	s.Env = append(s.Env, "TMPDIR="+tmp)
	out := s.up()
	steps := s.Steps(out)
	s.wantOnce(out, tmp)
	if out, err := s.Run(t.Context(), downLimit, "down"); err != nil {
		t.Fatalf("down: %v\n%s", err, out)
	}
	wantNothingLeft(t)

	for _, way := range []struct {
		name  string
		whole func(step string) bool // An up may end after a kill at this step.
	}{
		{"creating a sandbox", func(step string) bool { return step == steps[len(steps)-1] }},
		{"repeating up", func(string) bool { return true }},
	} {
		for _, step := range steps {
			t.Run(way.name+"/"+step, func(t *testing.T) {
				s := s.in(t)
				s.KillUpAfter(step)
				if way.whole(step) {
					s.wantOnce(s.up(), tmp)
				}
			})
		}
	}
}

// in returns the sandbox for a subtest.
func (s *sandbox) in(t *testing.T) *sandbox {
	part := *s.Sandbox
	part.T = t
	return &sandbox{&part}
}

// wantOnce fails the test unless up, with the output out, has shown the sample's trace, and the
// sandbox has exactly one container, network, and set of volumes and ports, and no file or process
// of a killed up. tmp is up's folder of temporary files.
func (s *sandbox) wantOnce(out, tmp string) {
	s.T.Helper()
	for _, span := range []string{"admit Head", "create ChildA", "create Deployment", "converge Head"} {
		if !strings.Contains(out, span) {
			s.T.Errorf("up printed a trace without %q:\n%s", span, out)
		}
	}
	s.WantUp()
	s.wantOne("container", node, strings.Fields(s.engine("ps", "--all", "--filter", "name="+name, "--format", "{{.Names}}")))
	s.wantOne("network", name, strings.Fields(s.engine("network", "ls", "--filter", "name="+name, "--format", "{{.Name}}")))

	const volumes = `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`
	used := strings.Fields(s.engine("inspect", "--format", volumes, node))
	for _, volume := range strings.Fields(s.engine("volume", "ls", "--quiet", "--filter", "label="+node)) {
		if !slices.Contains(used, volume) {
			s.T.Errorf("the volume %s belongs to a deleted node; this one has %v", volume, used)
		}
	}
	published := s.engine("port", node)
	ports := s.Record().Ports
	delete(ports, component.UI) // A process of this machine listens on it.
	for _, port := range ports {
		if strings.Count(published+"\n", ":"+strconv.Itoa(port)+"\n") != 1 {
			s.T.Errorf("the record has port %d, which the node does not publish exactly once:\n%s", port, published)
		}
	}
	s.wantNoRemains(tmp)
}

func (s *sandbox) wantOne(what, name string, found []string) {
	s.T.Helper()
	if len(found) != 1 || found[0] != name {
		s.T.Errorf("want one %s, %s, got %v", what, name, found)
	}
}

// wantNoRemains fails the test if a killed up left a file or a process. The node's monitor and the
// network's name server belong to the engine, and stay with the node.
func (s *sandbox) wantNoRemains(tmp string) {
	s.T.Helper()
	for _, pattern := range []string{filepath.Join(tmp, "*"), filepath.Join(s.Dir, "*.lock"), filepath.Join(s.Dir, "*.new")} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			s.T.Errorf("files remain: %v, %v", left, err)
		}
	}
	for pid, command := range rig.WithVariable("TMPDIR=" + tmp) {
		program, _, _ := strings.Cut(command, " ")
		if stays := []string{"conmon", "aardvark-dns"}; !slices.Contains(stays, filepath.Base(program)) {
			s.T.Errorf("process %d still runs: %s", pid, command)
		}
	}
}

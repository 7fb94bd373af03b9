package command

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// Only an API server of a sandbox is repaired by up.
func TestExplain(t *testing.T) {
	t.Parallel()
	run, err := lifecycle.Open(session.Options{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := project.SaveSubject(run.Dir.Subject(), project.Subject{Samples: []*unstructured.Unstructured{{Object: map[string]any{"apiVersion": "a.b/v1", "kind": "C", "metadata": map[string]any{"name": "c"}}}}}); err != nil {
		t.Fatal(err)
	}
	run.Connect(func() (*rest.Config, error) { return &rest.Config{Host: "https://127.0.0.1:6443"}, nil }, false)
	s := &Shared{opened: []*lifecycle.Sandbox{run}}
	refused := func(address string) error {
		return fmt.Errorf("finding Head: %w", &url.Error{Op: "Get", URL: address + "/api", Err: errors.New("connection refused")})
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"the sandbox":  {refused("https://127.0.0.1:6443"), "the API server of the sandbox does not answer; `sandbox up"},
		"another":      {refused("https://192.0.2.1:6443"), ""},
		"other errors": {errors.New("no room"), ""},
	} {
		if _, err := run.Target(); err != nil {
			t.Fatal(err)
		}
		got := s.Explain(test.err)
		if !errors.Is(got, test.err) || !strings.Contains(got.Error(), test.want) || test.want == "" && got.Error() != test.err.Error() {
			t.Errorf("%s: Explain() = %v, want %q", name, got, test.want)
		}
	}
}

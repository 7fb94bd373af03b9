package embedded

import (
	"testing"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/embedded/detour"
	"github.com/operator-tracing/sandbox/sandbox/faults/proxy"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestFaultProxyChangesNoTrace creates a Head before, while and after the operator runs behind the proxy of
// fault runs. The observer's and the operator's spans match the same expected tree each time.
func TestFaultProxyChangesNoTrace(t *testing.T) {
	s := newSandbox(t)
	s.up()
	s.wantObservedTree("before")
	operator, err := detour.New(state.Dir{Path: s.Dir}, s.Record().ComponentPorts)
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.Start(t.Context(), proxy.Options{
		Upstream: operator.Client, Certificate: operator.Certificate.CertFile, Key: operator.Certificate.KeyFile, ClientCA: operator.ClientCA,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := operator.Start(t.Context(), p.URL()); err != nil {
		t.Fatal(err)
	}
	if left, err := detour.Left(state.Dir{Path: s.Dir}); err != nil || !left {
		t.Fatalf("the operator is behind the proxy: %t, %v", left, err)
	}
	s.wantObservedTree("behind-the-proxy")
	if err := operator.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantObservedTree("after")
}

// wantObservedTree creates a Head, and fails the test unless its trace is the expected tree of the whole cluster.
func (s *sandbox) wantObservedTree(name string) {
	s.T.Helper()
	s.wantTrace(name)
	out := ""
	s.wait("the expected tree of the Head "+name, func() bool {
		var err error
		out, err = s.Run(s.T.Context(), rig.AskLimit, "trace", name, "--check=../../testdata/observed-create.embedded.tree", "--check-observed", "--set=HEAD="+name)
		if err != nil {
			s.T.Logf("not yet: %v\n%s", err, out)
		}
		return err == nil
	})
}

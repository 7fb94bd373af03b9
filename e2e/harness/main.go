package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
)

// prepareLimit bounds what is between an up sandbox and the first test.
const prepareLimit = 5 * time.Minute

// Suite is what [Main] gives to the tests.
type Suite struct {
	// Cluster is the sandbox's. It is set before the tests run.
	Cluster *Cluster
	// Features are those that ran; tests add to them.
	Features Features
}

// Main runs the tests of a package on a sandbox and ends the process with their
// exit code; 1 where the sandbox isn't what it must be, or can't be taken down;
// 128 and the signal's number where SIGINT or SIGTERM ended them.
// Under -short it says in one line that the tests need a cluster, and ends with 0.
// The suite's Cluster is there once a test runs. It does not return.
func Main(m *testing.M, suite *Suite) {
	becomeGuard()
	config, err := envconf.NewFromFlags() // It parses the tests' flags, too.
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(2)
	}
	besideEachOther()
	quietLibraries()
	switch {
	case testing.Short():
		fmt.Println("e2e: these tests need a cluster and don't run under -short; `make e2e` runs them")
		os.Exit(0)
	case flagValue("test.list") != "":
		os.Exit(m.Run())
	}
	code, err := suite.run(m, config, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// quietLibraries keeps libraries from writing to stderr on their own account.
func quietLibraries() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	ctrllog.SetLogger(klog.Background())
}

// besideEachOther lets more tests run at a time than there are processors, unless the
// command line says how many: nearly all of their time they wait. Several of them write
// the same expected tree.
func besideEachOther() {
	tests := "8"
	if *update {
		tests = "1"
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", tests) // It takes numbers.
	}
}

// run gives the exit code of the tests, and what else went wrong.
func (s *Suite) run(m *testing.M, config *envconf.Config, log io.Writer) (code int, err error) {
	ctx := context.Background()
	root, err := repositoryRoot()
	if err != nil {
		return 1, err
	}
	// Nothing is made before there is who removes it.
	g, err := startGuard(ctx, root, log)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	p, err := g.program(root)
	if err != nil {
		return 1, err
	}
	status, err := p.status(ctx)
	if err != nil {
		return 1, err
	}
	fmt.Fprintln(log, "e2e:", status.describe())
	if err := status.check(os.Getenv); err != nil {
		return 1, err
	}
	if s.Cluster, err = connect(p, status, filepath.Join(root, "artifacts")); err != nil {
		return 1, err
	}
	s.Cluster.config = config
	defer s.Cluster.close()
	if err := s.prepare(ctx); err != nil {
		return 1, errors.Join(err, s.Cluster.export(ctx))
	}
	code = m.Run()
	if code != 0 {
		return code, s.Cluster.export(ctx)
	}
	if filtered() {
		return 0, nil
	}
	return 0, s.Features.Compare(filepath.Join(root, "e2e", "testdata", "features."+status.Cluster))
}

// prepare puts right what an earlier run that was killed may have left changed.
func (s *Suite) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	if err := os.RemoveAll(s.Cluster.artifacts); err != nil {
		return fmt.Errorf("removing the artifacts of an earlier run: %w", err)
	}
	if _, err := s.Cluster.deleteScenes(ctx); err != nil {
		return err
	}
	return s.Cluster.reset(ctx, nil)
}

// filtered reports whether go test, or e2e-framework, was told to run only some of the tests.
func filtered() bool {
	filters := []string{"test.run", "test.skip", "feature", "assess", "labels", "skip-features", "skip-assessment", "skip-labels"}
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || slices.Contains(filters, f.Name) && f.Value.String() != "" })
	return found
}

func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return strings.TrimSpace(f.Value.String())
	}
	return ""
}

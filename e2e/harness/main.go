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

// prepareLimit is the timeout of the preparation between the start of the sandbox and the first
// test.
const prepareLimit = 5 * time.Minute

// Suite is the data that [Main] provides to the tests.
type Suite struct {
	// Cluster is the sandbox under test. Main sets it before the tests run.
	Cluster *Cluster
	// Features are the features that ran. Tests add to them.
	Features Features
}

// Main runs the tests of a package on a sandbox and exits with their exit code. The code is 1 if
// the sandbox is not as required or cannot be taken down, and 128 and the signal's number after
// SIGINT or SIGTERM. Under -short, it prints one line and exits with 0, because the tests need a
// cluster. Main does not return.
func Main(m *testing.M, suite *Suite) {
	becomeReaper()
	config, err := envconf.NewFromFlags() // It parses the tests' flags, too.
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(2)
	}
	besideEachOther()
	quietLibraries()
	switch {
	case testing.Short():
		fmt.Println("e2e: skipped, because these tests need a cluster; run `make e2e`")
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

// quietLibraries stops libraries from writing to stderr.
func quietLibraries() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	ctrllog.SetLogger(klog.Background())
}

// besideEachOther runs more tests in parallel than there are processors, unless the command line
// has a number: the tests mostly wait. With -update it does not, because several tests write the
// same expected tree.
func besideEachOther() {
	tests := "8"
	if *update {
		tests = "1"
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", tests) // The flag accepts numbers.
	}
}

// run returns the exit code of the tests and other errors.
func (s *Suite) run(m *testing.M, config *envconf.Config, log io.Writer) (code int, err error) {
	ctx := context.Background()
	root, err := repositoryRoot()
	if err != nil {
		return 1, err
	}
	// The reaper starts before any resource is created.
	g, err := startReaper(ctx, root, log)
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

// prepare reverts the changes of an earlier run that was killed.
func (s *Suite) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	if err := os.RemoveAll(s.Cluster.artifacts); err != nil {
		return fmt.Errorf("removing the artifacts of an earlier run: %w", err)
	}
	if _, err := s.Cluster.deleteFixtures(ctx); err != nil {
		return err
	}
	return s.Cluster.reset(ctx, nil)
}

// filtered reports whether the flags of go test or e2e-framework select only some of the tests.
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

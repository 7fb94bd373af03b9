package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Strays returns the processes of the sandbox without a record, the oldest first. They exist if
// records were lost or broken. A stray belongs to this user, leads its session, runs a program
// below Programs and names Mark, or a path below it, in an argument. Stop strays with
// [Process.Stop].
func (t Table) Strays(ctx context.Context) ([]*Process, error) {
	if !filepath.IsAbs(t.Mark) || !filepath.IsAbs(t.Programs) {
		return nil, fmt.Errorf("finding stray processes: %q and %q must be absolute paths", t.Mark, t.Programs)
	}
	known, err := t.known()
	if err != nil {
		return nil, err
	}
	var strays []*Process
	err = each(func(s *seen) {
		if ctx.Err() != nil || s.pid == os.Getpid() || slices.Contains(known, s.pid) || !t.marked(s.argv) {
			return
		}
		path := s.argv[0]
		stray := &Process{
			Name: filepath.Base(path), PID: s.pid, identity: s.identity,
			Spec: Spec{Name: filepath.Base(path), Path: path, Args: s.argv[1:]},
		}
		if ms, err := (&process.Process{Pid: int32(s.pid)}).CreateTimeWithContext(ctx); err == nil { // Only shown to users.
			stray.Started = time.UnixMilli(ms)
		}
		strays = append(strays, stray)
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("finding stray processes: %w", err)
	}
	slices.SortStableFunc(strays, func(a, b *Process) int { return a.Started.Compare(b.Started) })
	return strays, nil
}

func (t Table) known() ([]int, error) {
	names, err := t.Names()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		p, err := t.Find(name)
		if err != nil {
			return nil, err
		}
		if p != nil {
			pids = append(pids, p.PID)
		}
	}
	return pids, nil
}

func (t Table) marked(argv []string) bool {
	if len(argv) == 0 || !strings.HasPrefix(argv[0], filepath.Clean(t.Programs)+"/") {
		return false
	}
	return slices.ContainsFunc(argv[1:], naming(t.Mark).MatchString)
}

// naming matches arguments that contain path, or a path below it, as a whole path. The path is the
// whole argument, or follows "=", a comma, a colon or the scheme of a URL, as in --config=/path/file or
// unix:///path/socket.
func naming(path string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[=,:]|://)` + regexp.QuoteMeta(filepath.Clean(path)) + `(?:$|[/,:])`)
}

// Running returns the paths of the programs below a folder that any process runs, as given at its
// start. It omits processes that it cannot inspect, such as processes of other users on a system
// that hides them.
func Running(folder string) ([]string, error) {
	all, err := pids()
	if err != nil {
		return nil, fmt.Errorf("listing the running programs of %s: %w", folder, err)
	}
	var found []string
	for _, pid := range all {
		s, err := look(pid)
		if err == nil && s != nil && !s.zombie && len(s.argv) > 0 && strings.HasPrefix(s.argv[0], filepath.Clean(folder)+string(filepath.Separator)) {
			found = append(found, s.argv[0])
		}
	}
	return found, nil
}

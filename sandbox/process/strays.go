package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Strays finds processes of the sandbox that no record knows, the oldest first: live ones of this user that lead their session,
// run a program below Programs and name Mark, or a path below it, in an argument. Records that were lost or broken leave them. End
// them with [Process.Stop].
func (t Table) Strays(ctx context.Context) ([]*Process, error) {
	if !filepath.IsAbs(t.Mark) || !filepath.IsAbs(t.Programs) {
		return nil, fmt.Errorf("looking for stray processes: %q and %q must be absolute paths", t.Mark, t.Programs)
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
		if ms, err := (&process.Process{Pid: int32(s.pid)}).CreateTimeWithContext(ctx); err == nil { // For people only.
			stray.Started = time.UnixMilli(ms)
		}
		strays = append(strays, stray)
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("looking for stray processes: %w", err)
	}
	slices.SortStableFunc(strays, func(a, b *Process) int { return a.Started.Compare(b.Started) })
	return strays, nil
}

// known lists the processes that records know.
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

// marked tells whether a process with these arguments is the sandbox's.
func (t Table) marked(argv []string) bool {
	if len(argv) == 0 || !strings.HasPrefix(argv[0], filepath.Clean(t.Programs)+"/") {
		return false
	}
	mark := filepath.Clean(t.Mark)
	return slices.ContainsFunc(argv[1:], func(arg string) bool { return namesPath(arg, mark) })
}

// namesPath tells whether an argument holds path, or one below it, as a whole path: alone, or after "=", a comma, a colon or the
// scheme of a URL, as in --config=/path/file or unix:///path/socket.
func namesPath(arg, path string) bool {
	for rest, before := arg, ""; ; {
		i := strings.Index(rest, path)
		if i < 0 {
			return false
		}
		before += rest[:i]
		rest = rest[i+len(path):]
		begins := before == "" || strings.ContainsRune("=,:", rune(before[len(before)-1])) || strings.HasSuffix(before, "://")
		ends := rest == "" || strings.ContainsRune("/,:", rune(rest[0]))
		if begins && ends {
			return true
		}
		before += path
	}
}

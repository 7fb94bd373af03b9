package process

import "os"

// identity distinguishes a process from all other processes that ever have its pid.
type identity struct {
	// Boot is the id of the system's boot; empty if the system has none.
	Boot string `json:"boot,omitempty"`
	// Start is the start time: on Linux in clock ticks since the boot, elsewhere in microseconds by
	// the wall clock of that time.
	Start uint64 `json:"start,omitempty"`
}

// seen is a snapshot of a process.
type seen struct {
	pid      int
	identity identity
	argv     []string // empty while the process is about to end
	uid      int
	session  int
	zombie   bool
	stopped  bool
}

// live reports whether the process runs, belongs to this user and leads its session, as all
// processes of this package do.
func (s *seen) live() bool {
	return !s.zombie && s.uid == os.Getuid() && s.session == s.pid
}

// each calls f with every live process. It omits processes that it cannot inspect, which belong to
// other users or have just ended.
func each(f func(*seen)) error {
	pids, err := pids()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if s, err := look(pid); err == nil && s != nil && s.live() {
			f(s)
		}
	}
	return nil
}

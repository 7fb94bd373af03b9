package process

import "os"

// identity tells a process from all others that ever have its pid.
type identity struct {
	// Boot is the id of the boot that it runs in; empty where the system has none.
	Boot string `json:"boot,omitempty"`
	// Start is when it was started: on Linux in clock ticks since the boot, elsewhere in microseconds by the wall clock of then.
	Start uint64 `json:"start,omitempty"`
}

// seen is one look at a process.
type seen struct {
	pid      int
	identity identity
	argv     []string // none while it is about to end
	uid      int
	session  int
	zombie   bool
	stopped  bool
}

// live tells whether it runs, is this user's, and leads its session as each process that is started here does.
func (s *seen) live() bool {
	return !s.zombie && s.uid == os.Getuid() && s.session == s.pid
}

// each calls f with every process that is live. One that can't be looked at is left out: the reasons are other users' processes
// and such as end meanwhile.
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

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// With one of these variables, the test binary acts as init or as the supervisor that init starts.
// It never calls the real supervise, which stops every process that it can signal.
const (
	playInit       = "SANDBOX_TEST_PLAY_INIT"
	playSupervisor = "SANDBOX_TEST_PLAY_SUPERVISOR"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(playSupervisor); role != "" && len(os.Args) > 1 && os.Args[1] == "supervise" {
		os.Exit(supervisor(role))
	}
	if os.Getenv(playInit) != "" {
		adoptOrphans()
		if err := reap(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// adoptOrphans makes this process a subreaper, the parent of orphans, as PID 1 is.
func adoptOrphans() {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER (prctl(2)).
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		panic(errno)
	}
}

// supervisor acts as the supervisor that init starts. It returns the exit code.
func supervisor(role string) int {
	switch role {
	case "orphans":
		for range 3 {
			pid, err := exec.Command("/bin/sh", "-c", "sleep 0.05 >/dev/null 2>&1 & echo $!").Output()
			if err != nil || !within10s(func() bool { return !exists("/proc/" + strings.TrimSpace(string(pid))) }) {
				fmt.Fprintf(os.Stderr, "orphan %s was not reaped: %v\n", pid, err)
				return 3
			}
		}
		return 0
	case "stops":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready")
		select {
		case <-signals:
			fmt.Println("stopped")
			return 0
		case <-time.After(10 * time.Second):
			return 4
		}
	case "fails":
		return 5
	}
	return 6
}

// within10s polls until condition is true, and reports whether this happened within 10 s.
func within10s(condition func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if condition() {
			return true
		}
		pause(ctx, 5*time.Millisecond)
	}
	return false
}

func TestRunRefusesUnknownArguments(t *testing.T) {
	err := run([]string{"start"})
	if err == nil || err.Error() != `invalid argument "start": want supervise, probe or no argument` {
		t.Errorf("run(start): got error %v", err)
	}
}

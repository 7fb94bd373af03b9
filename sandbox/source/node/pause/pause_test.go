//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// With this variable, the test binary acts as pause. It has an orphan that runs as long as its
// standard input is open.
const play = "SANDBOX_TEST_PLAY_PAUSE"

func TestMain(m *testing.M) {
	if os.Getenv(play) == "" {
		os.Exit(m.Run())
	}
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER (prctl(2)): this process becomes the parent of orphans, as PID 1 is.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		panic(errno)
	}
	shell := exec.CommandContext(context.Background(), "/bin/sh", "-c", "exec 3<&0; cat <&3 >/dev/null 2>&1 & echo $!")
	shell.Stdin = os.Stdin
	pid, err := shell.Output()
	if err != nil {
		panic(err)
	}
	fmt.Print(string(pid))
	main()
	os.Exit(0)
}

func TestPauseReapsOrphansAndExitsOnASignal(t *testing.T) {
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), play+"=1")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		orphan := "/proc/" + strings.TrimSpace(line)
		if _, err := os.Stat(orphan); err != nil {
			t.Errorf("Stat(%s): got error %v, want a running orphan", orphan, err)
		}
		if err := stdin.Close(); err != nil {
			t.Fatal(err)
		}
		// The kernel's SIGCHLD may arrive before pause handles signals, so the test repeats it.
		ticks := time.NewTicker(5 * time.Millisecond)
		for range 2000 {
			if _, err = os.Stat(orphan); os.IsNotExist(err) {
				break
			}
			if err := cmd.Process.Signal(syscall.SIGCHLD); err != nil {
				t.Fatal(err)
			}
			<-ticks.C
		}
		ticks.Stop()
		if !os.IsNotExist(err) {
			t.Fatalf("%s was not reaped within 10 s", orphan)
		}
		if err := cmd.Process.Signal(end); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after signal %d: %v", end, err)
		}
	}
}

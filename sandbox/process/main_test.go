package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleVariable makes this test binary run as a program of a role instead of running tests.
const roleVariable = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// play runs the test binary as a program. A role that keeps running prints "serving" when it is
// ready.
func play(role string) int {
	switch role {
	case "serve":
		return serve()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGUSR1)
		defer stop()
		fmt.Println("serving")
		<-ctx.Done()
	case "die":
		fmt.Println("first line")
		fmt.Fprintln(os.Stderr, "last line")
		return 1
	case "report":
		folder, _ := os.Getwd()
		session, _ := unix.Getsid(0)
		fmt.Printf("folder %s\nleads group %t session %t\n", folder, syscall.Getpgrp() == os.Getpid(), session == os.Getpid())
		n, err := os.Stdin.Read(make([]byte, 1))
		fmt.Println("stdin", n, err)
		for _, variable := range os.Environ() {
			fmt.Println("environment", variable)
		}
		return serve()
	case "family":
		// The child stays in the group of this process, and does not end with it.
		child := exec.CommandContext(context.Background(), os.Args[0], os.Args[1:]...)
		child.Env = []string{roleVariable + "=stubborn"}
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("child", child.Process.Pid)
		return serve()
	case "starter":
		var task struct {
			Table Table
			Spec  Spec
		}
		err := json.NewDecoder(os.Stdin).Decode(&task)
		if err == nil {
			_, _, err = task.Table.Ensure(context.Background(), task.Spec)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return 0
}

func serve() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("serving")
	<-ctx.Done()
	fmt.Println("stopping")
	return 0
}

// newTable returns an empty table in a folder with a space in its name. Its processes are stopped
// after the test.
func newTable(t *testing.T) Table {
	t.Helper()
	mark := filepath.Join(t.TempDir(), "state folder")
	table := Table{
		Records: filepath.Join(mark, "run"), Logs: filepath.Join(mark, "logs"),
		Mark: mark, Programs: filepath.Dir(program(t)),
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		names, err := table.Names()
		if err != nil {
			return // The test broke the table; it has no processes.
		}
		for _, name := range names {
			if err := table.Stop(ctx, name); err != nil {
				t.Log(err)
			}
		}
		strays, err := table.Strays(ctx)
		if err != nil {
			t.Error(err)
		}
		for _, stray := range strays {
			if err := stray.Stop(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return table
}

// program returns the path of this test binary.
func program(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// spec returns the component "one" in a role.
func spec(t *testing.T, table Table, role string) Spec {
	t.Helper()
	return Spec{
		Name: "one", Path: program(t), Args: []string{"--state=" + table.Mark, "", "two words", ""},
		Env: []string{roleVariable + "=" + role}, Grace: 200 * time.Millisecond,
	}
}

// ensure calls Ensure and waits until the process serves.
func ensure(t *testing.T, table Table, spec Spec) (p *Process, started bool) {
	t.Helper()
	p, started, err := table.Ensure(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	awaitServing(t, table, spec.Name)
	return p, started
}

func awaitServing(t *testing.T, table Table, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := table.Await(ctx, name, func(context.Context) error {
		r, err := table.load(name)
		if err != nil {
			return err
		}
		if !strings.Contains(tail(table.LogPath(name), r.LogStart, -1), "serving") {
			return errors.New("it is not serving yet")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// launch starts the test binary without a record, as a child of this test that leads a session if
// leads is set. It is killed and reaped after the test.
func launch(t *testing.T, spec Spec, leads bool) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), spec.Path, spec.Args...)
	cmd.Env = spec.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: leads}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may have ended.
		_ = cmd.Wait()         // It was killed.
	})
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatal("the program is not serving:", err)
	}
	return cmd
}

// eventually waits until holds returns true.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("timeout; want: ", what)
		}
	}
}

func alive(t *testing.T, pid int) bool {
	t.Helper()
	s, err := look(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s != nil && !s.zombie
}

// find returns the component "one". An error fails the test.
func find(t *testing.T, table Table) *Process {
	t.Helper()
	p, err := table.Find("one")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

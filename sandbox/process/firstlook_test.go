package process

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// TestFirstLookSeesArguments inspects 100 children right after their start. Linux may not show the arguments of some of them yet.
func TestFirstLookSeesArguments(t *testing.T) {
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{path, "600"}
	for range 100 {
		child, err := os.StartProcess(path, argv, &os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := firstLook(child.Pid)
		abort(child)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.argv, argv) || !s.live() {
			t.Fatalf("firstLook: got %+v, want a live process with its arguments", s)
		}
	}
}

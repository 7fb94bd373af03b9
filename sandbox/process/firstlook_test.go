package process

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// TestFirstLookSeesArguments looks at children right after their start, when Linux may not show their arguments yet: of a
// hundred that are looked at but once it does not show some.
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
			t.Fatalf("right after its start a process is %+v", s)
		}
	}
}

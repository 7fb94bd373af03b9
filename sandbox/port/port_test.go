package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// taken listens on a free port until the test ends.
func taken(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// free returns a port on which no program listens.
func free(t *testing.T) int {
	t.Helper()
	port, err := Free(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestChooseTakesUsualNumbersIfFree(t *testing.T) {
	busy := taken(t)
	table := []component.Port{{Name: "usual", Number: free(t)}, {Name: "taken", Number: busy}, {Name: "wanted", Number: free(t)}}
	asked := free(t)
	got, err := Choose(t.Context(), table, component.Ports{"wanted": asked})
	if err != nil {
		t.Fatal(err)
	}
	if got["usual"] != table[0].Number {
		t.Errorf("port %d, want the usual one, %d", got["usual"], table[0].Number)
	}
	if got["wanted"] != asked {
		t.Errorf("port %d, want the wanted one, %d", got["wanted"], asked)
	}
	if got["taken"] == busy || got["taken"] == 0 {
		t.Errorf("port %d although the usual one is taken", got["taken"])
	}
}

func TestChooseLeavesNumbersThatAnotherCommandChose(t *testing.T) {
	usual := free(t)
	folder, err := state.CachePath()
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(folder, cache.Ports)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	other := flock.New(filepath.Join(folder, strconv.Itoa(usual)))
	if locked, err := other.TryLock(); err != nil || !locked {
		t.Fatalf("locking port %d: %v, %v", usual, locked, err)
	}
	table := []component.Port{{Name: "usual", Number: usual}}
	got, err := Choose(t.Context(), table, nil)
	if err != nil || got["usual"] == usual || got["usual"] == 0 {
		t.Errorf("Choose = %v, %v, want another port than %d", got, err, usual)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err = Choose(t.Context(), table, nil); err != nil || got["usual"] != usual {
		t.Errorf("Choose = %v, %v, want port %d, which no command claims now", got, err, usual)
	}
}

func TestChooseNamesTheHolderOfARequestedPort(t *testing.T) {
	port := taken(t)
	_, err := Choose(t.Context(), component.AllPorts(), component.Ports{component.UI: port})
	var busy *TakenError
	if !errors.As(err, &busy) || busy.Port != port {
		t.Fatalf("Choose = %v, want a *TakenError of port %d", err, port)
	}
	holder := "another program" // Without /proc, the holder is unknown.
	if comm, err := os.ReadFile("/proc/self/comm"); err == nil {
		holder = fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(comm)), os.Getpid())
	}
	want := fmt.Sprintf("port %d on 127.0.0.1 is in use by %s; stop it, or choose another port", port, holder)
	if busy.Error() != want {
		t.Errorf("error = %q, want %q", busy, want)
	}
}

func TestTakenErrorWithoutHolder(t *testing.T) {
	const want = "port 4317 on 127.0.0.1 is in use by another program; stop it, or choose another port"
	if got := (&TakenError{Port: 4317}).Error(); got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

func TestFreeOfAnInvalidPort(t *testing.T) {
	_, err := Free(t.Context(), 70000)
	if err == nil || !strings.Contains(err.Error(), "listening on port 70000 of 127.0.0.1") {
		t.Errorf("Free(70000) = %v, want an error that names the port", err)
	}
}

func TestHolderOfAFreePort(t *testing.T) {
	if holder := holderOf(t.Context(), free(t)); holder != "" {
		t.Errorf("holderOf(free port) = %q, want none", holder)
	}
}

func TestUnusedIsNoPortOfTheSandbox(t *testing.T) {
	t.Parallel()
	own := component.Ports{}
	for i := range 50 {
		free, err := Unused(t.Context(), own, component.Ports{"other": 1})
		if err != nil {
			t.Fatal(err)
		}
		for name, number := range own {
			if number == free {
				t.Errorf("Unused = %d, which is the port of %s", free, name)
			}
		}
		own = own.With(strconv.Itoa(i), free)
	}
}

package process

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestAFullDiskIsReportedAndNothingRuns(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := os.MkdirAll(table.Records, 0o700); err != nil {
		t.Fatal(err)
	}
	path := table.recordPath("one") + ".new"
	if err := os.Symlink("/dev/full", path); err != nil { // Every write to it fails as on a full disk.
		t.Fatal(err)
	}
	_, started, err := table.Ensure(t.Context(), spec(t, table, "serve"))
	if !errors.Is(err, syscall.ENOSPC) || started || !strings.Contains(err.Error(), "the record of one") {
		t.Errorf("Ensure: got started %t, error %v; want ENOSPC", started, err)
	}
	nothingRuns(t, table)
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the partial record still exists: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	after := " S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 0 0"
	for stat, want := range map[string]seen{
		"7 (etcd)" + after:                                  {session: 7, identity: identity{Start: 123456}},
		"7 (a) Z 1 (b)" + after:                             {session: 7, identity: identity{Start: 123456}},
		"7 (x)" + strings.Replace(after, "S", "Z", 1):       {session: 7, identity: identity{Start: 123456}, zombie: true},
		"7 (x)" + strings.Replace(after, " 7 7", " 7 6", 1): {session: 6, identity: identity{Start: 123456}},
	} {
		var got seen
		if err := got.parseStat(stat); err != nil || got.session != want.session || got.identity != want.identity || got.zombie != want.zombie {
			t.Errorf("parseStat(%q) = %+v, %v, want %+v", stat, got, err, want)
		}
	}
	for _, stat := range []string{
		"", "7 (x) S 1", "7 (x)" + strings.Replace(after, "123456", "-", 1), "7 (x)" + strings.Replace(after, " 7 7", " 7 x", 1),
	} {
		if err := new(seen).parseStat(stat); err == nil {
			t.Errorf("parseStat(%q): got no error", stat)
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	var s seen
	if err := s.parseStatus("Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\n"); err != nil || s.uid != 1000 {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, status := range []string{"", "Name:\tUid:\n", "x\nUid:\tme\n", "x\nUid:\n"} {
		if err := s.parseStatus(status); err == nil {
			t.Errorf("parseStatus(%q): got no error", status)
		}
	}
}

func TestLookReturnsThisProcess(t *testing.T) {
	t.Parallel()
	s, err := look(os.Getpid())
	if err != nil || s == nil || s.zombie || s.uid != os.Getuid() || len(s.argv) != len(os.Args) || s.identity.Boot == "" || s.identity.Start == 0 {
		t.Errorf("got %+v, %v", s, err)
	}
	if s, err := look(1 << 30); s != nil || err != nil {
		t.Errorf("look(1 << 30) = %+v, %v, want nil", s, err)
	}
}

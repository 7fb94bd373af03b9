package cache

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

const week = 7 * 24 * time.Hour

// entry creates an entry with one file that was used some time ago.
func entry(t *testing.T, folder, path string, ago time.Duration) {
	t.Helper()
	file := filetest.Put(t, folder, path+"/program", "")
	filetest.UsedAgo(t, file, ago)
	filetest.UsedAgo(t, filepath.Dir(file), ago)
}

// Entries used within the last hour do not count as leftovers. Unfinished entries count after a
// day.
func TestLeftoversOfTheLastHour(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for path, ago := range map[string]time.Duration{
		"bin/kwok-0000000000000001": 55 * time.Minute, "bin/kwok-0000000000000002": 65 * time.Minute,
		"bin/kwok-0000000000000003": 65 * time.Minute, "layers/.making-1": 23 * time.Hour, "layers/.making-2": 25 * time.Hour,
	} {
		entry(t, folder, path, ago)
	}
	found, err := Leftovers(folder, UnusedSince(0), map[string]bool{"0000000000000003": true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range found {
		got = append(got, l.Path)
	}
	want := []string{filepath.Join(folder, "bin", "kwok-0000000000000002"), filepath.Join(folder, "layers", ".making-2")}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
}

func TestLeftoverRemoveKeepsUsedEntries(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	entry(t, folder, "bin/kwok-0000000000000001", 2*week)
	entry(t, folder, "bin/kwok-0000000000000002", 2*week)
	found, err := Leftovers(folder, UnusedSince(week), nil, nil)
	if err != nil || len(found) != 2 {
		t.Fatalf("Leftovers() = %v, %v; want two", found, err)
	}
	if !Use(found[0].Path, []string{"program"}) {
		t.Fatal("Use() = false")
	}
	for i, want := range []bool{false, true} {
		if removed, err := found[i].Remove(); removed != want || err != nil {
			t.Errorf("Remove() of %s = %t, %v; want %t", found[i].Path, removed, err, want)
		}
	}
	wantNames(t, filepath.Join(folder, "bin"), filepath.Base(found[0].Path))
	if removed, err := found[1].Remove(); removed || err != nil {
		t.Errorf("second Remove() = %t, %v", removed, err)
	}
}

func TestNoteImage(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "cache")
	const name = "localhost/operator-tracing/node:v1-0123"
	wantUsed := func(within time.Duration) {
		t.Helper()
		if used := ImageUsed(folder, name); used.IsZero() != (within == 0) || within > 0 && time.Since(used) > within {
			t.Errorf("ImageUsed() = %s, want within %s", used, within)
		}
	}
	wantUsed(0)
	NoteImage(folder, name)
	wantUsed(time.Minute)
	filetest.UsedAgo(t, imageNote(folder, name), time.Hour)
	NoteImage(folder, name)
	ForgetImages(folder, time.Now().Add(-time.Hour))
	wantUsed(time.Minute)
	filetest.UsedAgo(t, imageNote(folder, name), 2*time.Hour)
	ForgetImages(folder, time.Now().Add(-time.Hour))
	wantUsed(0)
}

package image

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const week = 7 * 24 * time.Hour

// TestLeftovers has a cache with what this version builds, what another built, operators and what killed commands left.
func TestLeftovers(t *testing.T) {
	b := &Builder{Root: repository, Cache: t.TempDir()}
	needed, err := b.neededKeys()
	if err != nil {
		t.Fatal(err)
	}
	kubernetesKey, _, err := b.key(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(SourceParts.components) + 4; len(needed) < want { // kwok's, the node's, the root filesystem's and the chart's
		t.Errorf("%d keys are needed, want at least %d: %v", len(needed), want, needed)
	}
	var want []string
	for path, c := range map[string]struct {
		ago  time.Duration
		goes bool
	}{
		"bin/kubernetes-" + kubernetesKey:            {ago: 9 * week},
		"layers/kubernetes-" + kubernetesKey:         {ago: 9 * week},
		"rootfs/" + filepath.Base(b.rootFSFolder()):  {ago: 9 * week},
		"bin/" + filepath.Base(b.assetFolder(chart)): {ago: 9 * week},
		"bin/kubernetes-0000000000000001":            {ago: 8 * 24 * time.Hour, goes: true},
		"bin/kubernetes-0000000000000002":            {ago: 6 * 24 * time.Hour},
		"layers/node-0000000000000001":               {ago: 2 * week, goes: true},
		"bin/operator-0000000000000001":              {ago: 2 * week, goes: true},
		"operator/0000000000000001":                  {ago: 2 * week, goes: true},
		"given/image-0000000000000001":               {ago: 2 * week, goes: true},
		"given/image-0000000000000002":               {ago: time.Minute},
		"bin/.making-1":                              {ago: 2 * week, goes: true},
		"images/localhost":                           {ago: 2 * week},
	} {
		file := put(t, b.Cache, path+"/file", "1234567")
		usedAgo(t, file, c.ago)
		usedAgo(t, filepath.Dir(file), c.ago)
		if c.goes {
			want = append(want, path)
		}
	}
	found, err := b.Leftovers(UnusedSince(week))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(want), sorted(pathsOf(t, b, found))); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
	for _, l := range found {
		if l.Size != 7 {
			t.Errorf("%s takes %d bytes, want 7", l.Path, l.Size)
		}
	}
}

// TestLeftoversOfTheLastHour are none, whatever is asked for, and what may still be made needs a day.
func TestLeftoversOfTheLastHour(t *testing.T) {
	b := &Builder{Root: repository, Cache: t.TempDir()}
	for path, ago := range map[string]time.Duration{
		"bin/kwok-0000000000000001": 55 * time.Minute, "bin/kwok-0000000000000002": 65 * time.Minute,
		"layers/.making-1": 23 * time.Hour, "layers/.making-2": 25 * time.Hour,
	} {
		file := put(t, b.Cache, path+"/file", "")
		usedAgo(t, file, ago)
		usedAgo(t, filepath.Dir(file), ago)
	}
	found, err := b.Leftovers(UnusedSince(0))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"bin/kwok-0000000000000002", "layers/.making-2"}
	if diff := cmp.Diff(want, sorted(pathsOf(t, b, found))); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
}

// TestLeftoverRemove removes what is as it was found, and leaves what was used meanwhile.
func TestLeftoverRemove(t *testing.T) {
	b := &Builder{Root: repository, Cache: t.TempDir()}
	for _, path := range []string{"bin/kwok-0000000000000001", "bin/kwok-0000000000000002"} {
		file := put(t, b.Cache, path+"/kwok", "")
		usedAgo(t, file, 2*week)
		usedAgo(t, filepath.Dir(file), 2*week)
	}
	found, err := b.Leftovers(UnusedSince(week))
	if err != nil || len(found) != 2 {
		t.Fatalf("leftovers %v, %v, want two", found, err)
	}
	if !use(found[0].Path, []string{"kwok"}) {
		t.Fatal("it can't be used")
	}
	for i, want := range []bool{false, true} {
		if removed, err := found[i].Remove(); removed != want || err != nil {
			t.Errorf("%s: removed %t, %v, want %t", found[i].Path, removed, err, want)
		}
	}
	if diff := cmp.Diff([]string{filepath.Base(found[0].Path)}, names(t, filepath.Join(b.Cache, "bin"))); diff != "" {
		t.Errorf("the cache has (-want +got):\n%s", diff)
	}
	if removed, err := found[1].Remove(); removed || err != nil {
		t.Errorf("again: removed %t, %v", removed, err)
	}
}

func TestLeftoversNeedTheSources(t *testing.T) {
	if _, err := (&Builder{Root: t.TempDir(), Cache: t.TempDir()}).Leftovers(time.Now()); err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("without sources: %v", err)
	}
	b := &Builder{Root: repository, Cache: filepath.Join(t.TempDir(), "none")}
	if found, err := b.Leftovers(time.Now()); len(found) > 0 || err != nil {
		t.Errorf("without a cache: %v, %v", found, err)
	}
}

// TestLeftoverBlobs pulls two images: that which is pinned stays, the other goes once it is old, and to be found is to be used.
func TestLeftoverBlobs(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	r := puller(t, transport, "amd64")
	hashes := map[string]v1.Hash{}
	r.digests = map[string]string{}
	for _, reference := range []string{Pause, PauseOther} {
		digest, err := publish(t, transport, reference).Digest()
		if err != nil {
			t.Fatal(err)
		}
		hashes[reference], r.digests[reference] = digest, digest.String()
		if _, err := r.pull(t.Context(), nil, reference); err != nil {
			t.Fatal(err)
		}
	}
	blobs := names(t, filepath.Join(r.builder.Cache, registryFolder, "blobs", "sha256"))
	const each = 4 // index, manifest, configuration, layer
	if len(blobs) != 2*each {
		t.Fatalf("the cache has %d blobs, want %d", len(blobs), 2*each)
	}
	age := func() {
		for _, blob := range blobs {
			usedAgo(t, filepath.Join(r.builder.Cache, registryFolder, "blobs", "sha256", blob), 2*week)
		}
	}
	age()
	pins := []string{hashes[Pause].String()}
	if found := r.store().leftovers(UnusedSince(week), append(pins, hashes[PauseOther].String())); len(found) > 0 {
		t.Errorf("with both pinned: %v", found)
	}
	if found := r.store().leftovers(UnusedSince(week), pins); len(found) != each {
		t.Errorf("with one pinned %d blobs are left over, want %d", len(found), each)
	}
	if _, err := r.pull(t.Context(), nil, PauseOther); err != nil {
		t.Fatal(err)
	}
	if found := r.store().leftovers(UnusedSince(week), pins); len(found) > 0 {
		t.Errorf("right after its use: %v", found)
	}
	age()
	for _, l := range r.store().leftovers(UnusedSince(week), pins) {
		if removed, err := l.Remove(); !removed || err != nil {
			t.Errorf("%s: removed %t, %v", l.Path, removed, err)
		}
	}
	if _, err := r.store().find(hashes[Pause], r.platform()); err != nil {
		t.Errorf("the pinned image: %v", err)
	}
	if _, err := r.store().find(hashes[PauseOther], r.platform()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other image: %v, want that it is not there", err)
	}
}

func TestNotedImages(t *testing.T) {
	b := &Builder{Cache: filepath.Join(t.TempDir(), "cache")}
	const name = LocalRepository + "node:v1-0123"
	if used := b.ImageUsed(name); !used.IsZero() {
		t.Errorf("before it was noted: %s", used)
	}
	b.NoteImage(name)
	if ago := time.Since(b.ImageUsed(name)); ago < 0 || ago > time.Minute {
		t.Errorf("it was used %s ago", ago)
	}
	b.ForgetImages(time.Now().Add(-time.Hour))
	usedAgo(t, b.imageMark(name), time.Hour)
	b.NoteImage(name)
	if ago := time.Since(b.ImageUsed(name)); ago > time.Minute {
		t.Errorf("noted again, it was used %s ago", ago)
	}
	usedAgo(t, b.imageMark(name), 2*time.Hour)
	b.ForgetImages(time.Now().Add(-time.Hour))
	if used := b.ImageUsed(name); !used.IsZero() {
		t.Errorf("forgotten, it was used %s", used)
	}
}

// pathsOf are the leftovers' paths below the cache.
func pathsOf(t *testing.T, b *Builder, leftovers []Leftover) (paths []string) {
	t.Helper()
	for _, l := range leftovers {
		path, err := filepath.Rel(b.Cache, l.Path)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.ToSlash(path))
	}
	return paths
}

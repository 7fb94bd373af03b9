package build

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

const week = 7 * 24 * time.Hour

// The cache has builds of this version and of another one, operators, and leftovers of killed
// commands.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: repository, Cache: t.TempDir()}
	needed, err := b.neededKeys()
	if err != nil {
		t.Fatal(err)
	}
	kubernetesKey, _, err := b.key(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(SourceParts.components) + 4; len(needed) < want { // of kwok, the node, the root filesystem and the chart
		t.Errorf("neededKeys() = %v, want at least %d", needed, want)
	}
	chartDir, _ := b.chartFolder(chart)
	var want []string
	for path, c := range map[string]struct {
		ago  time.Duration
		left bool
	}{
		"bin/kubernetes-" + kubernetesKey:           {ago: 9 * week},
		"layers/kubernetes-" + kubernetesKey:        {ago: 9 * week},
		"rootfs/" + filepath.Base(b.rootFSFolder()): {ago: 9 * week},
		"bin/" + filepath.Base(chartDir):            {ago: 9 * week},
		"bin/kubernetes-0000000000000001":           {ago: 8 * 24 * time.Hour, left: true},
		"bin/kubernetes-0000000000000002":           {ago: 6 * 24 * time.Hour},
		"layers/node-0000000000000001":              {ago: 2 * week, left: true},
		"bin/operator-0000000000000001":             {ago: 2 * week, left: true},
		"operator/0000000000000001":                 {ago: 2 * week, left: true},
		"given/image-0000000000000001":              {ago: 2 * week, left: true},
		"given/image-0000000000000002":              {ago: time.Minute},
		"bin/.making-1":                             {ago: 2 * week, left: true},
		"images/localhost":                          {ago: 2 * week},
	} {
		file := filetest.Put(t, b.Cache, path+"/file", "1234567")
		filetest.UsedAgo(t, file, c.ago)
		filetest.UsedAgo(t, filepath.Dir(file), c.ago)
		if c.left {
			want = append(want, path)
		}
	}
	found, err := b.Leftovers(cache.UnusedSince(week))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(pathsOf(t, b, found)))); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
	for _, l := range found {
		if l.Size != 7 {
			t.Errorf("size of %s = %d, want 7", l.Path, l.Size)
		}
	}
}

func TestLeftoversNeedTheSources(t *testing.T) {
	t.Parallel()
	if _, err := (&Builder{Root: t.TempDir(), Cache: t.TempDir()}).Leftovers(time.Now()); err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("Leftovers() without sources = %v, want --source as the remedy", err)
	}
	b := &Builder{Root: repository, Cache: filepath.Join(t.TempDir(), "none")}
	if found, err := b.Leftovers(time.Now()); len(found) > 0 || err != nil {
		t.Errorf("Leftovers() without a cache = %v, %v", found, err)
	}
}

// pathsOf returns the leftovers' paths below the cache.
func pathsOf(t *testing.T, b *Builder, leftovers []cache.Leftover) (paths []string) {
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

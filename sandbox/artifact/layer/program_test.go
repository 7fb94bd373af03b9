package layer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

// rootArchive writes a root filesystem's archive, with names below "." as tar writes them.
func rootArchive(t *testing.T, files ...File) string {
	t.Helper()
	for i := range files {
		files[i].Path = "./" + files[i].Path
	}
	path := filepath.Join(t.TempDir(), "rootfs.tar")
	if err := Write(path, files); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWithLibraries(t *testing.T) {
	t.Parallel()
	const loader = "/lib64/ld-linux-x86-64.so.2"
	for _, test := range []struct {
		name    string
		program string
		files   []File
		want    map[string]string // path in the image
	}{
		{
			name: "static", program: "usr/sbin/tool",
			files: []File{{Path: "usr/sbin/tool", Content: elfFile(t, "")}, {Path: "usr/lib/libother.so.1", Content: elfFile(t, "")}},
			want:  map[string]string{"usr/sbin/tool": "static"},
		},
		{
			name: "libraries of libraries, once each", program: "usr/sbin/tool",
			files: []File{
				{Path: "usr/sbin/tool", Content: elfFile(t, "", "libone.so.1", "libtwo.so.2")},
				{Path: "usr/lib/x86_64-linux-gnu/libone.so.1", Content: elfFile(t, "", "libtwo.so.2", "libthree.so.3")},
				{Path: "usr/lib/x86_64-linux-gnu/libtwo.so.2", Content: elfFile(t, "", "libone.so.1")},
				{Path: "usr/lib/x86_64-linux-gnu/libthree.so.3", Content: elfFile(t, "")},
			},
			want: map[string]string{
				"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libone.so.1": "", "usr/lib/x86_64-linux-gnu/libtwo.so.2": "",
				"usr/lib/x86_64-linux-gnu/libthree.so.3": "",
			},
		},
		{
			name: "a library behind a link keeps the name in the program", program: "usr/sbin/tool",
			files: []File{
				{Path: "usr/sbin/tool", Content: elfFile(t, "", "libmnl.so.0")},
				{Path: "usr/lib/x86_64-linux-gnu/libmnl.so.0", Link: "libmnl.so.0.2.0"},
				{Path: "usr/lib/x86_64-linux-gnu/libmnl.so.0.2.0", Content: elfFile(t, "")},
			},
			want: map[string]string{"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libmnl.so.0": ""},
		},
		{
			name: "an absolute link after its target, by the old path", program: "usr/sbin/tool",
			files: []File{
				{Path: "usr/sbin/tool", Content: elfFile(t, "", "libmnl.so.0")},
				{Path: "usr/lib/x86_64-linux-gnu/libmnl.so.0.2.0", Content: elfFile(t, "")},
				{Path: "usr/lib/x86_64-linux-gnu/libmnl.so.0", Link: "/lib/x86_64-linux-gnu/libmnl.so.0.2.0"},
			},
			want: map[string]string{"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libmnl.so.0": ""},
		},
		{
			name: "the loader gets the path that programs use", program: "usr/sbin/tool",
			files: []File{
				{Path: "lib64", Link: "usr/lib64"},
				{Path: "usr/lib64/ld-linux-x86-64.so.2", Link: "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
				{Path: "usr/sbin/tool", Content: elfFile(t, loader, "libc.so.6")},
				{Path: "usr/lib/x86_64-linux-gnu/libc.so.6", Content: elfFile(t, "", "ld-linux-x86-64.so.2")},
				{Path: "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", Content: elfFile(t, "")},
			},
			want: map[string]string{"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libc.so.6": "", "lib64/ld-linux-x86-64.so.2": ""},
		},
		{
			name: "the loader of arm64", program: "usr/sbin/tool",
			files: []File{
				{Path: "usr/sbin/tool", Content: elfFile(t, "/lib/ld-linux-aarch64.so.1")},
				{Path: "usr/lib/ld-linux-aarch64.so.1", Content: elfFile(t, "")},
			},
			want: map[string]string{"usr/sbin/tool": "", "lib/ld-linux-aarch64.so.1": ""},
		},
		{
			name: "ignores files of that name elsewhere", program: "usr/sbin/tool",
			files: []File{
				{Path: "etc/bash_completion.d/tool", Content: "text"},
				{Path: "usr/sbin/tool", Content: elfFile(t, "")},
				{Path: "usr/share/tool", Content: "text"},
			},
			want: map[string]string{"usr/sbin/tool": ""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files, err := WithLibraries(rootArchive(t, test.files...), test.program, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, f := range files {
				got = append(got, f.Path)
				if content := filetest.Read(t, f.Source); !strings.HasPrefix(content, "\x7fELF") {
					t.Errorf("content of %s = %q, want an ELF file", f.Path, content)
				}
			}
			for path := range test.want {
				want = append(want, path)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(want)), got); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithLibrariesErrors(t *testing.T) {
	t.Parallel()
	archive := rootArchive(t,
		File{Path: "usr/sbin/tool", Content: elfFile(t, "", "libnone.so.1")},
		File{Path: "usr/sbin/script", Content: "#!/bin/sh\n"},
		File{Path: "usr/sbin/dangling", Link: "gone"},
	)
	for program, want := range map[string]string{
		"usr/sbin/tool":     "finding libnone.so.1, which usr/sbin/tool needs, in the root filesystem: no such file",
		"usr/sbin/none":     "finding none, which usr/sbin/none needs, in the root filesystem: no such file",
		"usr/sbin/script":   "reading script: ",
		"usr/sbin/dangling": "finding dangling",
	} {
		if _, err := WithLibraries(archive, program, t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("WithLibraries(%s) = %v, want %q", program, err, want)
		}
	}
	broken := filetest.Put(t, t.TempDir(), "rootfs.tar", strings.Repeat("not an archive", 100))
	if _, err := WithLibraries(broken, "usr/sbin/tool", t.TempDir()); err == nil || !strings.Contains(err.Error(), "reading the root filesystem") {
		t.Errorf("WithLibraries() of a broken archive = %v", err)
	}
}

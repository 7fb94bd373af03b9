package image

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rootArchive is a root filesystem's archive, named as tar names entries below ".".
func rootArchive(t *testing.T, files ...file) string {
	t.Helper()
	for i := range files {
		files[i].path = "./" + files[i].path
	}
	path := filepath.Join(t.TempDir(), "rootfs.tar")
	if err := writeLayer(path, files); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgramWithLibraries(t *testing.T) {
	const loader = "/lib64/ld-linux-x86-64.so.2"
	for _, test := range []struct {
		name    string
		program string
		files   []file
		want    map[string]string // path in the image to the source's content, by name
	}{
		{
			name: "static", program: "usr/sbin/tool",
			files: []file{{path: "usr/sbin/tool", content: linkedProgram(t, "")}, {path: "usr/lib/libother.so.1", content: linkedProgram(t, "")}},
			want:  map[string]string{"usr/sbin/tool": "static"},
		},
		{
			name: "libraries of libraries, once each", program: "usr/sbin/tool",
			files: []file{
				{path: "usr/sbin/tool", content: linkedProgram(t, "", "libone.so.1", "libtwo.so.2")},
				{path: "usr/lib/x86_64-linux-gnu/libone.so.1", content: linkedProgram(t, "", "libtwo.so.2", "libthree.so.3")},
				{path: "usr/lib/x86_64-linux-gnu/libtwo.so.2", content: linkedProgram(t, "", "libone.so.1")},
				{path: "usr/lib/x86_64-linux-gnu/libthree.so.3", content: linkedProgram(t, "")},
			},
			want: map[string]string{
				"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libone.so.1": "", "usr/lib/x86_64-linux-gnu/libtwo.so.2": "",
				"usr/lib/x86_64-linux-gnu/libthree.so.3": "",
			},
		},
		{
			name: "a library behind a link keeps the name that is asked for", program: "usr/sbin/tool",
			files: []file{
				{path: "usr/sbin/tool", content: linkedProgram(t, "", "libmnl.so.0")},
				{path: "usr/lib/x86_64-linux-gnu/libmnl.so.0", link: "libmnl.so.0.2.0"},
				{path: "usr/lib/x86_64-linux-gnu/libmnl.so.0.2.0", content: linkedProgram(t, "")},
			},
			want: map[string]string{"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libmnl.so.0": ""},
		},
		{
			name: "the link comes after its target and is absolute, by the old path", program: "usr/sbin/tool",
			files: []file{
				{path: "usr/sbin/tool", content: linkedProgram(t, "", "libmnl.so.0")},
				{path: "usr/lib/x86_64-linux-gnu/libmnl.so.0.2.0", content: linkedProgram(t, "")},
				{path: "usr/lib/x86_64-linux-gnu/libmnl.so.0", link: "/lib/x86_64-linux-gnu/libmnl.so.0.2.0"},
			},
			want: map[string]string{"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libmnl.so.0": ""},
		},
		{
			name: "the loader goes where programs look for it", program: "usr/sbin/tool",
			files: []file{
				{path: "lib64", link: "usr/lib64"},
				{path: "usr/lib64/ld-linux-x86-64.so.2", link: "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
				{path: "usr/sbin/tool", content: linkedProgram(t, loader, "libc.so.6")},
				{path: "usr/lib/x86_64-linux-gnu/libc.so.6", content: linkedProgram(t, "", "ld-linux-x86-64.so.2")},
				{path: "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", content: linkedProgram(t, "")},
			},
			want: map[string]string{"usr/sbin/tool": "", "usr/lib/x86_64-linux-gnu/libc.so.6": "", "lib64/ld-linux-x86-64.so.2": ""},
		},
		{
			name: "the loader of arm64", program: "usr/sbin/tool",
			files: []file{
				{path: "usr/sbin/tool", content: linkedProgram(t, "/lib/ld-linux-aarch64.so.1")},
				{path: "usr/lib/ld-linux-aarch64.so.1", content: linkedProgram(t, "")},
			},
			want: map[string]string{"usr/sbin/tool": "", "lib/ld-linux-aarch64.so.1": ""},
		},
		{
			name: "a file of that name elsewhere is not it", program: "usr/sbin/tool",
			files: []file{
				{path: "etc/bash_completion.d/tool", content: "text"},
				{path: "usr/sbin/tool", content: linkedProgram(t, "")},
				{path: "usr/share/tool", content: "text"},
			},
			want: map[string]string{"usr/sbin/tool": ""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			files, err := programWithLibraries(rootArchive(t, test.files...), test.program, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, f := range files {
				got = append(got, f.path)
				if content := read(t, f.source); !strings.HasPrefix(content, "\x7fELF") {
					t.Errorf("%s holds %q", f.path, content)
				}
			}
			for path := range test.want {
				want = append(want, path)
			}
			if diff := cmp.Diff(sorted(want), got); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgramWithLibrariesNamesWhatIsMissing(t *testing.T) {
	archive := rootArchive(t,
		file{path: "usr/sbin/tool", content: linkedProgram(t, "", "libnone.so.1")},
		file{path: "usr/sbin/script", content: "#!/bin/sh\n"},
		file{path: "usr/sbin/dangling", link: "gone"},
	)
	for program, want := range map[string]string{
		"usr/sbin/tool":     "finding libnone.so.1, which usr/sbin/tool needs, in the root filesystem: no such file",
		"usr/sbin/none":     "finding none, which usr/sbin/none needs, in the root filesystem: no such file",
		"usr/sbin/script":   "reading script: ",
		"usr/sbin/dangling": "finding dangling",
	} {
		if _, err := programWithLibraries(archive, program, t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", program, err, want)
		}
	}
	broken := put(t, t.TempDir(), "rootfs.tar", strings.Repeat("not an archive", 100))
	if _, err := programWithLibraries(broken, "usr/sbin/tool", t.TempDir()); err == nil || !strings.Contains(err.Error(), "reading the root filesystem") {
		t.Errorf("error of a broken archive: %v", err)
	}
}

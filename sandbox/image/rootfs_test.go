package image

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}

func Example_mirrorOf() {
	fmt.Println(mirrorOf(`http://mirror.example.test/security bookworm-security main
http://mirror.example.test/debian bookworm contrib
http://mirror.example.test/debian bookworm main
http://other.example.test/debian bookworm main
`))
	// Output: http://mirror.example.test/debian
}

func TestMirrorOf(t *testing.T) {
	for _, test := range []struct{ name, targets, want string }{
		{"nothing", "", ""},
		{"another release", "http://a.test/debian trixie main\n", ""},
		{"Ubuntu", "http://a.test/ubuntu noble main\nhttp://a.test/ubuntu noble-updates main\n", ""},
		{"only updates", "http://a.test/debian bookworm-updates main\n", ""},
		{"a field is missing", "http://a.test/debian bookworm\n main\n", ""},
		{"no line's end", "http://a.test/debian bookworm main", "http://a.test/debian"},
		{"a list of mirrors, which debootstrap can't read", "mirror+file:/etc/apt/mirrors/debian.list bookworm main\n", ""},
		{"a folder", "file:/srv/debian bookworm main\n", "file:/srv/debian"},
	} {
		if got := mirrorOf(test.targets); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestQuietShowsOutputOnlyInTheError(t *testing.T) {
	if err := quiet(t.Context(), "/bin/sh", "-c", "echo words"); err != nil {
		t.Error(err)
	}
	err := quiet(t.Context(), "/bin/sh", "-c", "echo first; echo last >&2; exit 4")
	if err == nil || err.Error() != "running /bin/sh: exit status 4: first\nlast" {
		t.Errorf("error %v", err)
	}
}

func TestNodeWithoutDebootstrapSaysSoAtOnce(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := &Builder{Cache: t.TempDir(), Arch: "amd64"}
	_, err := b.buildRootFS(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "scripts/prerequisites.sh") || !strings.Contains(err.Error(), "--images=registry") {
		t.Errorf("error without debootstrap: %v", err)
	}
	if _, err := NewSource(b).Node(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "needs debootstrap") {
		t.Errorf("a node without debootstrap: %v; want the reason before anything is built", err)
	}
}

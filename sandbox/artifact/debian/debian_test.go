package debian

import (
	"fmt"
	"strings"
	"testing"
)

func Example_mirrorOf() {
	fmt.Println(mirrorOf(`http://mirror.example.test/security bookworm-security main
http://mirror.example.test/debian bookworm contrib
http://mirror.example.test/debian bookworm main
http://other.example.test/debian bookworm main
`))
	// Output: [http://mirror.example.test/debian]
}

func TestMirrorOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, targets, want string }{
		{"nothing", "", ""},
		{"another release", "http://a.test/debian trixie main\n", ""},
		{"Ubuntu", "http://a.test/ubuntu noble main\nhttp://a.test/ubuntu noble-updates main\n", ""},
		{"only updates", "http://a.test/debian bookworm-updates main\n", ""},
		{"a missing field", "http://a.test/debian bookworm\n main\n", ""},
		{"no newline at the end", "http://a.test/debian bookworm main", "http://a.test/debian"},
		{"a list of mirrors, which debootstrap does not support", "mirror+file:/etc/apt/mirrors/debian.list bookworm main\n", ""},
		{"a folder", "file:/srv/debian bookworm main\n", "file:/srv/debian"},
	} {
		if got := strings.Join(mirrorOf(test.targets), " "); got != test.want {
			t.Errorf("%s: mirrorOf() = %q, want %q", test.name, got, test.want)
		}
	}
}

func TestQuietShowsOutputOnlyInTheError(t *testing.T) {
	t.Parallel()
	if err := quiet(t.Context(), "/bin/sh", "-c", "echo words"); err != nil {
		t.Error(err)
	}
	err := quiet(t.Context(), "/bin/sh", "-c", "echo first; echo last >&2; exit 4")
	if err == nil || err.Error() != "running /bin/sh: exit status 4: first\nlast" {
		t.Errorf("quiet() = %v, want the output in the error", err)
	}
}

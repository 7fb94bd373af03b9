package suggest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	known := []string{"head-sample", "head-other", "web", "website", "operator", "kube-apiserver", "kube-scheduler"}
	for name, want := range map[string][]string{
		"head-sampel": {"head-sample"},               // transposition
		"head-smple":  {"head-sample"},               // deletion
		"head":        {"head-sample", "head-other"}, // prefix
		"wbe":         {"web"},
		"apiserver":   {"kube-apiserver"}, // substring
		"WEB":         {"web", "website"},
		"kube":        {"kube-apiserver", "kube-scheduler"},
		"zzz":         nil,
		"":            nil,
	} {
		if diff := cmp.Diff(want, Names(name, known)); diff != "" {
			t.Errorf("Names(%q) (-want +got):\n%s", name, diff)
		}
	}
	if got := Names("a", []string{"a1", "a2", "a3", "a4"}); len(got) != 3 {
		t.Errorf("Names returned %q, want 3 names", got)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"größe", "grösse", 2}, {"same", "same", 0},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.b, test.a); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.b, test.a, got, test.want)
		}
	}
}

func ExampleHint() {
	fmt.Println("no such component jeager" + Hint("jeager", []string{"jaeger", "operator"}))
	fmt.Println("no such component x" + Hint("x", []string{"jaeger", "operator"}))
	// Output:
	// no such component jeager (did you mean jaeger?)
	// no such component x
}

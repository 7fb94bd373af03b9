package traces

import (
	"fmt"
	"strings"
	"testing"
)

func ExampleParseReference() {
	for _, argument := range []string{"head-sample", "team-a/web", "memcached/sample", "a/b/c"} {
		reference, err := ParseReference(argument)
		fmt.Printf("%q %q %v\n", reference.Prefix, reference.Name, err)
	}
	// Output:
	// "" "head-sample" <nil>
	// "team-a" "web" <nil>
	// "memcached" "sample" <nil>
	// "" "" reading the name of an object "a/b/c": use NAME, KIND/NAME or NAMESPACE/NAME
}

func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "/", "", "/a", "a/", "a//b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, argument string) {
		got, err := ParseReference(argument)
		if err != nil {
			if got != (Reference{}) {
				t.Errorf("ParseReference(%q) = %v and %v", argument, got, err)
			}
			return
		}
		again := got.Name
		if got.Prefix != "" {
			again = got.Prefix + "/" + got.Name
		}
		if got.Name == "" || again != argument || strings.Contains(got.Prefix+got.Name, "/") {
			t.Errorf("ParseReference(%q) = %#v", argument, got)
		}
	})
}

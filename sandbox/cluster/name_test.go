package cluster

import (
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"operator-tracing": true, "a": true, "a.b-c": true, "1": true, strings.Repeat("a", 46): true,
		"": false, "A": false, "-a": false, "a-": false, "a_b": false, "a b": false, "a/b": false, strings.Repeat("a", 47): false, "a\n": false,
	} {
		if err := ValidName(name); (err == nil) != want {
			t.Errorf("ValidName(%q): %v", name, err)
		}
	}
}

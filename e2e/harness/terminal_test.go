package harness

import (
	"os"
	"path/filepath"
	"testing"
)

func TestExplainOptions(t *testing.T) {
	pipe, err := os.Create(filepath.Join(t.TempDir(), "no terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	for name, test := range map[string]struct {
		env   map[string]string
		color bool
	}{
		"no terminal":          {nil, false},
		"forced":               {map[string]string{"FORCE_COLOR": "1"}, true},
		"forced by BSD's word": {map[string]string{"CLICOLOR_FORCE": "1"}, true},
		"not forced":           {map[string]string{"FORCE_COLOR": "0"}, false},
		"forced and forbidden": {map[string]string{"FORCE_COLOR": "1", "NO_COLOR": "1"}, false},
	} {
		got := explainOptions(func(name string) string { return test.env[name] }, pipe)
		if got.Color != test.color || got.Width != 0 {
			t.Errorf("%s: %+v, want color %t and the usual width", name, got, test.color)
		}
	}
}

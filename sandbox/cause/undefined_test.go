package cause

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestUndefinedKind(t *testing.T) {
	t.Parallel()
	noMatch := func(group string, versions ...string) error {
		return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: group, Kind: "Backup"}, SearchedVersions: versions}
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"no version":       {noMatch("storage.example.com"), true},
		"a version":        {noMatch("storage.example.com", "v1"), true},
		"several versions": {noMatch("storage.example.com", "v1", "v2"), true},
		"Kubernetes' own":  {noMatch("", "v1"), false},
		"a short group":    {noMatch("apps", "v3"), false},
		"another error":    {errors.New("no Backup"), false},
	} {
		for _, text := range []string{test.err.Error(), fmt.Sprintf(`{"level":"error","error":%q}`, test.err)} {
			if got := UndefinedKind(text); strings.Contains(got, " Backup.storage.example.com ") != test.want || got == "" == test.want {
				t.Errorf("%s: UndefinedKind(%s) = %q, want a remedy: %v", name, text, got, test.want)
			}
		}
	}
}

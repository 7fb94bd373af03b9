package tracing

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestNamesAtTheCap(t *testing.T) {
	var n nameCache
	for i := range maxNames + 10 {
		kind := strconv.Itoa(i)
		if got := n.of("create", kind); got != "create "+kind {
			t.Fatalf("the name is %q", got)
		}
	}
	if len(n.known) != maxNames {
		t.Errorf("%d names are remembered, want %d", len(n.known), maxNames)
	}
}

// TestReadsAtTheCap: a reconcile with many reads remembers the first ones, and its own object.
func TestReadsAtTheCap(t *testing.T) {
	owner := deployment("owner", carries(sampledContext(1), 0))
	gvk := kindOf(owner, scheme.Scheme)
	s, _ := newSession(t.Context(), newConfig(nil), reflect.TypeOf(owner), gvk, client.ObjectKeyFromObject(owner))
	for i := range maxReads + 10 {
		s.remember(gvk, deployment(strconv.Itoa(i)), false)
	}
	if len(s.reads) != maxReads {
		t.Errorf("%d objects are remembered, want %d", len(s.reads), maxReads)
	}
	if s.remember(gvk, owner, false); s.object == nil || len(s.reads) != maxReads+1 {
		t.Errorf("the reconciled object is %v", s.object)
	}
}

func TestLoggedValuesAtTheCap(t *testing.T) {
	var logs logLines
	obj := configMap("x")
	obj.Annotations = map[string]string{parentKey: strings.Repeat("x", 256<<10)}
	newConfig(nil).extract(logr.NewContext(t.Context(), logs.logger()), obj, levelReconcile)
	if len(logs.lines) != 1 || len(logs.lines[0]) > 3*maxLogged || !strings.Contains(logs.lines[0], "x…") {
		t.Errorf("logged %d lines, want none: %.1000q", len(logs.lines), logs.lines)
	}
}

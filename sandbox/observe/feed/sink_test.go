package feed

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// A list that follows a broken watch marks all changes as lost, and repeats nothing.
func TestReplace(t *testing.T) {
	t.Parallel()
	object := func(kind, name, uid string, revision int) any {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
		u.SetName(name)
		u.SetUID(types.UID(uid))
		u.SetResourceVersion(fmt.Sprint(revision))
		return u
	}
	for name, test := range map[string]struct {
		first, watched, second []any
		want                   string
	}{
		"nothing changed": {
			first: []any{object("Secret", "a", "1", 5)}, second: []any{object("Secret", "a", "1", 5)},
			want: "a@5 listed",
		},
		"a change": {
			first: []any{object("Secret", "a", "1", 5)}, watched: []any{object("Secret", "a", "1", 6)}, second: []any{object("Secret", "a", "1", 8)},
			want: "a@5 listed, a@6, a@8 lost",
		},
		"a new object": {second: []any{object("Secret", "a", "1", 5)}, want: "a@5 lost"},
		"a deleted object": {
			first: []any{object("Secret", "a", "1", 5)}, second: nil, want: "a@5 listed, uid 1@99 deleted lost",
		},
		"an object that was deleted and created again": {
			first: []any{object("Secret", "a", "1", 5)}, second: []any{object("Secret", "a", "2", 7)}, want: "a@5 listed, a@7 lost, uid 1@99 deleted lost",
		},
		"an Event that was delivered before": {
			first: []any{object("Event", "e", "1", 5)}, watched: []any{object("Event", "f", "2", 6)},
			second: []any{object("Event", "e", "1", 5), object("Event", "f", "2", 6), object("Event", "g", "3", 7)},
			want:   "e@5 listed, f@6, g@7 lost",
		},
		"objects without a UID": {
			first: []any{object("PodMetrics", "a", "", 0), object("PodMetrics", "b", "", 0)}, second: nil, want: "a@0 listed, b@0 listed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &run{Watcher: &Watcher{}, changes: make(chan writes.Change, 100)}
			s := &sink{run: r, ctx: t.Context(), first: true}
			if err := s.Replace(test.first, "5"); err != nil {
				t.Fatal(err)
			}
			for _, obj := range test.watched {
				if err := s.Update(obj); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Replace(test.second, "99"); err != nil {
				t.Fatal(err)
			}
			close(r.changes)
			var got []string
			for c := range r.changes {
				text := c.Object.GetName()
				if text == "" {
					text = "uid " + string(c.Object.GetUID())
				}
				text += "@" + c.Object.GetResourceVersion()
				for _, mark := range []struct {
					set  bool
					text string
				}{{c.Listed, " listed"}, {c.Deleted, " deleted"}, {c.Lost, " lost"}} {
					if mark.set {
						text += mark.text
					}
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

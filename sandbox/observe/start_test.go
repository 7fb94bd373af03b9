package observe

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// timing matches the times of a line of a tree.
var timing = regexp.MustCompile(` \([^)]*\)`)

// The kubelet's writes are never without their parent, and no span is sent twice, also if a Pod does not
// get ready for long, or never.
func TestLongStart(t *testing.T) {
	t.Parallel()
	const bound = `
0 1 ADDED Pod p kubectl
100 2 MODIFIED Pod p - spec.nodeName=node
200 3 MODIFIED Pod p kubelet:status Initialized=True
300 4 ADDED Event e1 - about=Pod/p reason=Failed message=no_such_image
`
	const waiting = "kubectl create Pod\n  kube-scheduler bind Pod\n    kubelet start Pod unfinished\n      kubelet update_status Pod Failed\n"
	for name, test := range map[string]struct {
		later string
		at    time.Duration // of the last look; the observer runs on
		want  string
	}{
		"not yet":  {at: 20 * time.Second, want: "kubectl create Pod\n  kube-scheduler bind Pod\n"},
		"too long": {at: 40 * time.Second, want: waiting},
		"ready after that": {
			later: "50000 5 MODIFIED Pod p kubelet:status Ready=True\n", at: time.Minute,
			want: waiting + "      kubelet update_status Pod\n",
		},
		"deleted after that": {
			later: "50000 5 DELETED Pod p -\n", at: time.Minute,
			want: waiting + "kubelet remove Pod\n",
		},
		"deleted before": {
			later: "5000 5 DELETED Pod p -\n", at: time.Minute,
			want: "kubectl create Pod\n  kube-scheduler bind Pod\n    kubelet start Pod\n      kubelet update_status Pod Failed\nkubelet remove Pod\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t)
			s.play(bound)
			play := func(until time.Duration) {
				for at := s.last; at.Before(s.start.Add(until)); at = at.Add(time.Second) {
					s.observer.Advance(t.Context(), at)
				}
			}
			if before, _, found := strings.Cut(test.later, " "); found {
				after, err := time.ParseDuration(before + "ms")
				if err != nil {
					t.Fatal(err)
				}
				play(after)
				s.play(test.later)
			}
			play(test.at)
			ids := map[string]bool{}
			for _, span := range s.spans {
				if id := span.SpanID().String(); ids[id] {
					t.Errorf("%s was sent twice", span.Name())
				} else {
					ids[id] = true
				}
				if _, unfinished := span.Attributes().Get(AttributeUnfinished); unfinished {
					span.SetName(span.Name() + " unfinished")
				}
				for _, e := range span.Events().All() {
					if e.Name() == "Failed" {
						span.SetName(span.Name() + " " + e.Name())
					}
				}
			}
			got := timing.ReplaceAllString(s.tree(), "")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

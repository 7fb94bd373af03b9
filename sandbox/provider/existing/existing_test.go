package existing

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

func newCluster(t *testing.T, options session.Options, record state.Record) *Cluster {
	t.Helper()
	return Attach(&session.Session{Options: options, Record: record, Dir: state.Dir{Path: t.TempDir()}})
}

func TestFindContext(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "kubeconfig")
	for name, test := range map[string]struct {
		options session.Options
		record  state.Record
		want    string
		usage   bool
	}{
		"no context":      {session.Options{}, state.Record{}, "name the cluster by --context=NAME", true},
		"another context": {session.Options{Name: "a", Context: "mine"}, state.Record{Name: "a", Target: state.Target{Context: "yours"}}, "is on the context yours", false},
		"unknown context": {session.Options{Context: "mine", Kubeconfig: none}, state.Record{}, none, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newCluster(t, test.options, test.record).findContext()
			var mistake *settings.Error
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.As(err, &mistake) != test.usage {
				t.Errorf("findContext() = %v, want %q, usage error %t", err, test.want, test.usage)
			}
		})
	}
}

func TestChooseJaeger(t *testing.T) {
	t.Parallel()
	up := state.Record{Name: "a"}
	mine := state.Record{Name: "a", Target: state.Target{JaegerEndpoint: "j:4317"}}
	for name, test := range map[string]struct {
		options       session.Options
		record        state.Record
		endpoint, url string
		want          string
	}{
		"the sandbox's":      {session.Options{}, state.Record{}, "", "", ""},
		"the user's":         {session.Options{JaegerEndpoint: "j:4317", JaegerQuery: "http://j"}, state.Record{}, "j:4317", "http://j", ""},
		"as recorded":        {session.Options{}, mine, "j:4317", "", ""},
		"recorded, query":    {session.Options{JaegerQuery: "http://j"}, mine, "j:4317", "http://j", ""},
		"instead of its own": {session.Options{JaegerEndpoint: "j:4317"}, up, "", "", "has a Jaeger of its own"},
		"only a query":       {session.Options{JaegerQuery: "http://j"}, up, "", "", "add --jaeger-endpoint"},
		"with a config":      {session.Options{JaegerConfig: "jaeger.yaml"}, mine, "", "", "sends to a Jaeger of yours"},
		"without the config": {session.Options{JaegerConfig: session.NoJaegerConfig}, mine, "j:4317", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, test.options, test.record)
			err := c.chooseJaeger()
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("chooseJaeger() = %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || c.wanted.JaegerEndpoint != test.endpoint || c.wanted.JaegerQuery != test.url {
				t.Errorf("chooseJaeger() = %v, endpoint %q, query %q; want %q, %q", err, c.wanted.JaegerEndpoint, c.wanted.JaegerQuery, test.endpoint, test.url)
			}
		})
	}
}

// Components of the user are neither fetched nor started.
func TestComponentsOfTheUser(t *testing.T) {
	t.Parallel()
	c := newCluster(t, session.Options{}, state.Record{Name: "a", Target: state.Target{Found: map[string]string{component.CertManager: "v1.20.0"}, JaegerEndpoint: "j:4317"}})
	for _, name := range []string{component.CertManager, component.Jaeger} {
		var said string
		report := func(format string, args ...any) { said = format }
		part := component.Named(name)
		if err := errors.Join(c.Fetch(t.Context(), part, report), c.Deliver(t.Context(), part, report), c.Start(t.Context(), part, report)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.pods.Images(name)) != 0 || said == "" {
			t.Errorf("%s: %d images, report %q", name, len(c.pods.Images(name)), said)
		}
	}
}

// A cluster that pulls images itself gets their names, by digest if it is known.
func TestPublicImages(t *testing.T) {
	t.Parallel()
	c := newCluster(t, session.Options{}, state.Record{})
	c.public = true
	report := func(string, ...any) {}
	part := component.Named(component.CertManager)
	if err := errors.Join(c.Fetch(t.Context(), part, report), c.Deliver(t.Context(), part, report)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, image := range c.pods.Images(part.Name) {
		reference := c.reference(image)
		if reference.PullPolicy == "Never" {
			t.Errorf("the cluster must pull %s", reference.Ref)
		}
		got = append(got, reference.Ref)
	}
	if !slices.Equal(got, part.Images) {
		t.Errorf("references %q, want %q", got, part.Images)
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	c := newCluster(t, session.Options{}, state.Record{})
	c.setPushed("a:v1", "registry.test/x/a@sha256:1")
	if got := c.reference(artifact.New(nil, "a:v1")); got.Ref != "registry.test/x/a@sha256:1" {
		t.Errorf("reference of a pushed image = %+v", got)
	}
	if got := c.reference(artifact.New(nil, "b:v1")); got.Ref != "b:v1" || got.PullPolicy != "Never" {
		t.Errorf("reference of a loaded image = %+v", got)
	}
}

func TestReachAJaegerOfTheUser(t *testing.T) {
	t.Parallel()
	target := state.Target{JaegerEndpoint: "j:4317"}
	c := newCluster(t, session.Options{}, state.Record{Name: "a", Target: target})
	if err := c.Reach(t.Context()); !errors.Is(err, provider.ErrNoQuery) {
		t.Errorf("Reach() without a query URL = %v, want %v", err, provider.ErrNoQuery)
	}
	target.JaegerQuery = "http://j:16686"
	c = newCluster(t, session.Options{}, state.Record{Name: "a", Target: target})
	if err := c.Reach(t.Context()); err != nil || c.Addresses()[component.UI] != target.JaegerQuery {
		t.Errorf("Reach() = %v, addresses %v", err, c.Addresses())
	}
	c.Close()
	if telemetry, err := c.telemetry(); err != nil || telemetry.Host != "j" {
		t.Errorf("telemetry() = %+v, %v", telemetry, err)
	}
}

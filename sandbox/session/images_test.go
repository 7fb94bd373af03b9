package session

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// withBuilder returns a session whose images come from a mirror.
func withBuilder(t *testing.T, options Options, record state.Record, mirror string) *Session {
	t.Helper()
	m, err := artifact.NewMirror(mirror, "")
	if err != nil {
		t.Fatal(err)
	}
	return &Session{Options: options, Record: record, Builder: &build.Builder{Cache: t.TempDir(), Mirror: m}}
}

// said collects the reports of a step.
func said(into *strings.Builder) Report {
	return func(format string, args ...any) { fmt.Fprintf(into, format+"\n", args...) }
}

func TestChooseImages(t *testing.T) {
	t.Parallel()
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", path.Base(r.URL.Path)) // It is asked for by digest.
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Content-Length", "2")
	}))
	t.Cleanup(answers.Close)
	silent := httptest.NewServer(nil)
	silent.Close()
	up := func(images string, creating bool) state.Record {
		return state.Record{Name: "a", Images: images, Creating: creating}
	}
	for name, test := range map[string]struct {
		images  string
		record  state.Record
		answers bool
		want    string
		says    string
	}{
		"the user chose a registry":        {"registry", up("source", false), false, "registry", "from registry"},
		"the user chose the sources":       {"source", up("registry", false), true, "source", "from source"},
		"a registry answers":               {"auto", state.Record{}, true, "registry", "from registry"},
		"no registry answers":              {"auto", state.Record{}, false, "source", "no registry answers ("},
		"the sandbox came from a registry": {"auto", up("registry", false), false, "registry", "from registry"},
		"the sandbox came from source":     {"auto", up("source", false), true, "source", "from source"},
		"an up that did not finish":        {"auto", up("source", true), true, "registry", "from registry"},
		"a sandbox of another name":        {"auto", state.Record{Name: "b", Images: "source"}, true, "registry", "from registry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := silent.Listener.Addr().String()
			if test.answers {
				address = answers.Listener.Addr().String()
			}
			s := withBuilder(t, Options{Name: "a", Images: test.images}, test.record, address)
			var text strings.Builder
			if err := s.ChooseImages(t.Context(), said(&text)); err != nil {
				t.Fatal(err)
			}
			if got := s.ImageSource.Origin(); got != test.want || !strings.Contains(text.String(), test.says) {
				t.Errorf("images from %s, report %q; want %s, %q", got, text.String(), test.want, test.says)
			}
			// The choice stays, whatever changed since.
			before := s.ImageSource
			s.Options.Images = "source"
			if err := s.ChooseImages(t.Context(), said(&text)); err != nil || s.ImageSource != before {
				t.Errorf("a second ChooseImages() = %v, and changed the source: %t", err, s.ImageSource != before)
			}
		})
	}
}

// An image of the user comes from a registry if no container engine has it. Its name in the cluster
// has its digest, so that another image changes the Pods.
func TestImagesOfTheUser(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := server.Listener.Addr().String()
	content, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/team/op:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, content); err != nil {
		t.Fatal(err)
	}
	digest, err := content.Digest()
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{Builder: &build.Builder{Cache: t.TempDir()}, Project: &project.Project{}, Manifests: &project.Manifests{}}
	given, err := s.givenImage(t.Context(), nil, tag.Name(), func(string, ...any) {})
	if err != nil || given.Name() != tag.Name() {
		t.Fatalf("givenImage() = %v, %v; want %s", given, err, tag)
	}
	operator, err := given.AsOperator()
	if want := artifact.LocalRepository + "operator:" + digest.Hex[:16]; err != nil || operator.Name() != want {
		t.Errorf("AsOperator() = %s, %v; want %s", operator.Name(), err, want)
	}
	if _, err := s.givenImage(t.Context(), nil, host+"/team/op:v2", func(string, ...any) {}); err == nil || !strings.Contains(err.Error(), "team/op:v2") {
		t.Errorf("givenImage(an unknown tag) = %v, want an error that names it", err)
	}
}

// A bundle decides the kind of cluster, unless the user did.
func TestFitBundle(t *testing.T) {
	t.Parallel()
	images := bundle.Record{Images: []bundle.Entry{{Role: "node"}}}
	programs := bundle.Record{Programs: []bundle.Program{{Name: component.Etcd}}}
	both := bundle.Record{Images: images.Images, Programs: programs.Programs}
	for name, test := range map[string]struct {
		bundle *bundle.Bundle
		wanted string
		want   string
		err    string
	}{
		"no bundle":           {nil, "auto", "auto", ""},
		"no bundle, embedded": {nil, component.Embedded, component.Embedded, ""},
		"images":              {&bundle.Bundle{Record: images}, "auto", "auto", ""},
		"images, kind":        {&bundle.Bundle{Record: images}, component.Kind, component.Kind, ""},
		"images, embedded":    {&bundle.Bundle{Record: images}, component.Embedded, "", "--cluster=embedded --bundle=a.tar: the bundle has nothing for this kind of cluster; create one by `sandbox bundle create --cluster=embedded`"},
		"programs":            {&bundle.Bundle{Record: programs}, "auto", component.Embedded, ""},
		"programs, embedded":  {&bundle.Bundle{Record: programs}, component.Embedded, component.Embedded, ""},
		"programs, kind":      {&bundle.Bundle{Record: programs}, component.Kind, "", "--cluster=kind --bundle=a.tar: "},
		"both":                {&bundle.Bundle{Record: both}, "auto", "auto", ""},
		"both, kind":          {&bundle.Bundle{Record: both}, component.Kind, component.Kind, ""},
	} {
		s := &Session{bundle: test.bundle, bundlePath: "a.tar"}
		got, err := s.FitBundle(test.wanted)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%s: FitBundle(%s) = %q, %v; want %q, %q", name, test.wanted, got, err, test.want, test.err)
		}
		if has := s.BundledPrograms() != nil; has != (test.bundle != nil && test.bundle.Record.Supports(component.Embedded)) {
			t.Errorf("%s: BundledPrograms() returned programs: %t", name, has)
		}
	}
}

// The record keeps the path of a bundle only while images come from it.
func TestRecordImages(t *testing.T) {
	t.Parallel()
	opened := &bundle.Bundle{}
	for name, test := range map[string]struct {
		bundle *bundle.Bundle
		source artifact.Provider
		images string
		path   string
	}{
		"a bundle":     {opened, opened, FromBundle, "/a.tar"},
		"the sources":  {nil, build.NewSource(&build.Builder{}), "source", ""},
		"the registry": {nil, artifact.NewRegistry("", "", artifact.Mirror{}), "registry", ""},
	} {
		s := &Session{bundle: test.bundle, ImageSource: test.source, Record: state.Record{Bundle: "/a.tar"}}
		s.RecordImages()
		if s.Record.Images != test.images || s.Record.Bundle != test.path {
			t.Errorf("%s: the record has images from %q of %q, want %q of %q", name, s.Record.Images, s.Record.Bundle, test.images, test.path)
		}
	}
}

// The hash of the manifests tells whether a bundle's operator belongs to them.
func TestManifestsHash(t *testing.T) {
	t.Parallel()
	hash := func(change func(*project.Manifests)) string {
		s := &Session{}
		if err := s.UseProject(); err != nil {
			t.Fatal(err)
		}
		change(s.Manifests)
		sum, err := s.ManifestsHash()
		if err != nil || !strings.HasPrefix(sum, "sha256:") {
			t.Fatalf("ManifestsHash() = %q, %v", sum, err)
		}
		return sum
	}
	same := hash(func(*project.Manifests) {})
	if again := hash(func(*project.Manifests) {}); again != same {
		t.Errorf("the hash of equal manifests is %s, want %s", again, same)
	}
	for name, change := range map[string]func(*project.Manifests){
		"an annotation": func(m *project.Manifests) { m.Objects[0].SetAnnotations(map[string]string{"a": "b"}) },
		"one less":      func(m *project.Manifests) { m.Objects = m.Objects[1:] },
	} {
		if other := hash(change); other == same {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

// A bundle has only operators that the sandbox builds, and none of the user's images.
func TestBuiltHere(t *testing.T) {
	t.Parallel()
	s := &Session{}
	if err := s.UseProject(); err != nil {
		t.Fatal(err)
	}
	if err := s.BuiltHere(); err != nil {
		t.Errorf("BuiltHere() of the reference operator = %v", err)
	}
	s.Project.File.Operator.Images = []string{"example.com/sidecar:v1"}
	if err := s.BuiltHere(); err == nil || !strings.Contains(err.Error(), "needs example.com/sidecar:v1: a bundle has no images of the user's") {
		t.Errorf("BuiltHere() with another image = %v", err)
	}
	s.Project.File.Operator.Images, s.Project.File.Operator.Build = nil, nil
	if err := s.BuiltHere(); err == nil || !strings.Contains(err.Error(), "a bundle has only operators that the sandbox builds") {
		t.Errorf("BuiltHere() with an image = %v", err)
	}
	if program := s.ProgramOf(s.Project); program.Main != "" {
		t.Errorf("ProgramOf() an image = %+v, want none", program)
	}
}

// The configuration of Jaeger is a file that stays the user's until --jaeger-config=none.
func TestJaegerConfig(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "jaeger.yaml")
	for name, test := range map[string]struct{ option, record, want string }{
		"none":            {"", "", ""},
		"as it is":        {"", path, path},
		"the sandbox's":   {NoJaegerConfig, path, ""},
		"another":         {path, "/old.yaml", path},
		"none, as before": {NoJaegerConfig, "", ""},
	} {
		s := &Session{Options: Options{JaegerConfig: test.option}, Record: state.Record{JaegerConfig: test.record}}
		if err := s.KeepJaegerConfig(); err != nil || s.Record.JaegerConfig != test.want {
			t.Errorf("%s: KeepJaegerConfig() = %v, record %q; want %q", name, err, s.Record.JaegerConfig, test.want)
		}
		if test.want != "" {
			continue
		}
		if data, err := s.ReadJaegerConfig(); data != nil || err != nil {
			t.Errorf("%s: ReadJaegerConfig() = %q, %v; want the sandbox's", name, data, err)
		}
	}
	s := &Session{Record: state.Record{JaegerConfig: filepath.Join(folder, "gone.yaml")}}
	if _, err := s.ReadJaegerConfig(); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "--jaeger-config=") {
		t.Errorf("ReadJaegerConfig() = %v, want an error about the option", err)
	}
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ option, record, want int }{{0, 0, 0}, {0, 2, 2}, {3, 2, 3}, {1, 2, 1}} {
		s := &Session{Options: Options{OperatorReplicas: test.option}, Record: state.Record{OperatorReplicas: test.record}}
		if got := s.Replicas(); got != test.want {
			t.Errorf("Replicas() with the option %d and the record %d = %d, want %d", test.option, test.record, got, test.want)
		}
	}
}

func TestTelemetryAt(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"jaeger.example:4317": "jaeger.example 4317", "10.0.0.1:1": "10.0.0.1 1", "[::1]:4317": "[::1] 4317", "j:65535": "j 65535",
		"": "", "j": "", ":4317": "", "j:": "", "j:0": "", "j:65536": "", "j:otlp": "", "http://j:4317": "", "::1:4317": "", "j:-1": "",
	} {
		telemetry, err := TelemetryAt(endpoint)
		got := ""
		if err == nil {
			got = fmt.Sprintf("%s %d", telemetry.Host, telemetry.Ports[component.OTLPGRPC])
		}
		if got != want {
			t.Errorf("TelemetryAt(%q) = %q, %v; want %q", endpoint, got, err, want)
		}
	}
}

func TestCheckJaeger(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "jaeger.yaml")
	if err := os.WriteFile(broken, []byte("a: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, ""},
		{Options{JaegerEndpoint: "j:4317", JaegerConfig: NoJaegerConfig}, ""},
		{Options{JaegerEndpoint: "j:4317", JaegerQuery: "https://j/base"}, ""},
		{Options{JaegerEndpoint: "j"}, "--jaeger-endpoint=j: use HOST:PORT"},
		{Options{JaegerEndpoint: "j:4317", JaegerConfig: broken}, "--jaeger-config=" + broken + " --jaeger-endpoint=j:4317: the sandbox does not configure"},
		{Options{JaegerQuery: "j:16686"}, "--jaeger-query=j:16686: use the URL"},
		{Options{JaegerQuery: "ftp://j"}, "--jaeger-query=ftp://j: use the URL"},
		{Options{JaegerQuery: "http://"}, "--jaeger-query=http://: use the URL"},
		{Options{JaegerConfig: broken}, "--jaeger-config=" + broken + ": "},
		{Options{JaegerConfig: "/none.yaml"}, "--jaeger-config=/none.yaml: "},
	} {
		err := test.options.checkJaeger()
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("checkJaeger(%+v) = %v, want %q", test.options, err, test.want)
		}
	}
}

// The page of a Jaeger from source shows the names of objects.
func TestJaegerPage(t *testing.T) {
	t.Parallel()
	page, err := JaegerPage()
	if err != nil || len(Labels()) == 0 {
		t.Fatalf("JaegerPage() = %v with the labels %q", err, Labels())
	}
	for _, label := range Labels() {
		if !strings.Contains(string(page), label) {
			t.Errorf("the page does not name the attribute %s", label)
		}
	}
}

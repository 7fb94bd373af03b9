package lifecycle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/export/redact"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// never is a sandbox that was never made, whose operator was to get a password.
func never(t *testing.T) *Sandbox {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	run, err := Open(session.Options{StateDir: filepath.Join(t.TempDir(), "state"), OperatorEnv: []string{"DB_PASSWORD=squeamish-ossifrage", "MODE=fast"}})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDiagnoseKeepsTheLastThree(t *testing.T) {
	run := never(t)
	// Of an up that failed while kind made the node: its logs are all that is left of it.
	logs := filepath.Join(run.Dir.KindLogs(), "node")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(logs, "serial.log"), []byte("DB_PASSWORD is squeamish-ossifrage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for range 5 {
		exported, err := run.Diagnose(t.Context())
		if err != nil || len(exported.Missing) > 0 {
			t.Fatalf("%+v, %v", exported, err)
		}
		dirs = append(dirs, exported.Dir)
	}
	for i, dir := range dirs {
		if _, err := os.Stat(dir); (err == nil) != (i >= 2) {
			t.Errorf("the diagnostics number %d: %v", i, err)
		}
	}
	last := dirs[len(dirs)-1]
	var status provider.Status
	readJSON(t, filepath.Join(last, "status.json"), &status)
	var report doctor.Report
	readJSON(t, filepath.Join(last, "doctor.json"), &report)
	var options session.Options
	readJSON(t, filepath.Join(last, "options.json"), &options)
	if status.State != provider.StateDown || len(report.Findings) == 0 || strings.Join(options.OperatorEnv, " ") != "DB_PASSWORD="+redact.Hidden+" MODE=fast" {
		t.Errorf("status %+v, %d findings, options %+v", status, len(report.Findings), options)
	}
	log, err := os.ReadFile(filepath.Join(last, "kind-logs", "node", "serial.log"))
	if err != nil || string(log) != "DB_PASSWORD is "+redact.Hidden+"\n" {
		t.Errorf("%q, %v", log, err)
	}
}

// A folder that cannot be written leaves no partial export.
func TestDiagnoseWithoutAFolder(t *testing.T) {
	run := never(t)
	if err := os.WriteFile(run.Dir.Diagnostics(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Diagnose(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestDiagnoseWhatCantBeReached(t *testing.T) {
	run := never(t)
	run.Record = state.Record{Name: "gone", Cluster: component.Embedded, OperatorEnv: []string{"API_TOKEN=squeamish-ossifrage"}}
	exported, err := run.Diagnose(t.Context())
	if err != nil || len(exported.Missing) != 1 || !strings.HasPrefix(exported.Missing[0].Error(), "objects: ") {
		t.Fatalf("%v, %v", exported.Missing, err)
	}
	var record state.Record
	readJSON(t, filepath.Join(exported.Dir, "state.json"), &record)
	if len(record.OperatorEnv) != 1 || record.OperatorEnv[0] != "API_TOKEN="+redact.Hidden || run.Record.OperatorEnv[0] != "API_TOKEN=squeamish-ossifrage" {
		t.Errorf("exported %q, and the record has %q", record.OperatorEnv, run.Record.OperatorEnv)
	}
}

func TestTimeOfAnEvent(t *testing.T) {
	first, last, made := metav1.Unix(1, 0), metav1.Unix(2, 0), metav1.Unix(3, 0)
	for _, test := range []struct {
		event corev1.Event
		want  int64
	}{
		{corev1.Event{FirstTimestamp: first, LastTimestamp: last}, 2},
		{corev1.Event{FirstTimestamp: first}, 1},
		{corev1.Event{EventTime: metav1.NewMicroTime(made.Time), FirstTimestamp: first}, 3},
		{corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: made}}, 3},
	} {
		if got := timeOf(test.event).Unix(); got != test.want {
			t.Errorf("%d, want %d", got, test.want)
		}
	}
}

func TestSecretsOfFiles(t *testing.T) {
	const key = "-----BEGIN EC PRIVATE" + " KEY-----\nabc\n-----END EC PRIVATE" + " KEY-----\n"
	kubeconfig := `{"apiVersion": "v1", "kind": "Config", "users": [{"name": "a", "user": {"token": "the-token", "password": "the-password", "client-key-data": "a2V5"}}]}`
	for _, test := range []struct {
		path, data string
		want       string
	}{
		{"/s/components/operator/token", "jwt", "jwt"}, {"/s/pki/ca.key", key, key}, {"/s/pki/ca.crt", "certificate", ""},
		{"/s/kubeconfig", kubeconfig, "the-token|the-password|key"}, {"/s/components/kwok/kubeconfig", "{", ""},
	} {
		if got := strings.Join(secretsOf(test.path, []byte(test.data)), "|"); got != test.want {
			t.Errorf("%s: %q, want %q", test.path, got, test.want)
		}
	}
}

func textOf(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func event(name, namespace, last, message string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"name": name, "namespace": namespace},
		"involvedObject": map[string]any{"kind": "Pod", "namespace": namespace, "name": "web", "apiVersion": "v1"},
		"type":           "Normal", "reason": "Test", "message": message, "lastTimestamp": last,
	}
}

// An export has the state, the objects, events and logs, without any secret that a Secret has.
func TestExport(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	secret := map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "db", "namespace": "team"}, "type": "Opaque",
		"data": map[string]any{"password": "c3F1ZWFtaXNoLW9zc2lmcmFnZQ=="},
	}
	cluster := &fakeProcesses{fakeCluster{config: api(t, map[string][]any{
		"/api/v1/secrets":    {secret},
		"/api/v1/configmaps": {map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c", "namespace": "team"}, "data": map[string]any{"a": "b"}}},
		"/api/v1/events": {
			event("second", "team", "2026-01-01T00:00:02Z", "a\nb squeamish-ossifrage"), event("first", "team", "2026-01-01T00:00:01Z", "first"),
		},
	})}}
	s := newSandbox(t, quiet(component.Embedded), cluster)
	dir := filepath.Join(t.TempDir(), "export")
	exported, err := s.Export(t.Context(), dir, export.Usual)
	if err != nil || exported.Dir != dir {
		t.Fatalf("Export() = %+v, %v", exported, err)
	}
	const hidden = redact.Hidden
	for path, want := range map[string]string{
		"versions.txt":             "written\t",
		"node.txt":                 "a node\n",
		"events.txt":               "2026-01-01T00:00:01Z Normal  Pod team/web: Test: first (1 times)\n2026-01-01T00:00:02Z Normal  Pod team/web: Test: a b " + hidden + " (1 times)\n",
		"logs/jaeger.log":          "log of jaeger\n",
		"logs/jaeger.previous.log": "log of jaeger\n",
		"objects/configmaps.yaml":  "name: c\n",
		"objects/secrets.yaml":     "password: '" + hidden + ", 28 characters'",
	} {
		if got := textOf(t, dir, path); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", path, got, want)
		}
	}
	var status provider.Status
	readJSON(t, filepath.Join(dir, "status.json"), &status)
	if status.State != provider.StateUp {
		t.Errorf("status.json has the state %q, want up", status.State)
	}
	if _, err := s.Export(t.Context(), dir, export.Usual); err == nil {
		t.Error("Export() into a folder with files returned no error")
	}
}

// What cannot be recognised cannot be hidden: without the Secrets there are no objects and no logs.
func TestExportWithoutTheRightToReadSecrets(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	cluster := &fakeCluster{config: api(t, map[string][]any{"/api/v1/secrets": nil})}
	s := newSandbox(t, quiet(component.Kind), cluster)
	dir := filepath.Join(t.TempDir(), "export")
	exported, err := s.Export(t.Context(), dir, export.Usual)
	if err != nil || len(exported.Missing) == 0 {
		t.Fatalf("Export() = %+v, %v; want missing parts", exported, err)
	}
	for _, path := range []string{"logs", "objects", "events.txt"} {
		if _, err := os.Stat(filepath.Join(dir, path)); !os.IsNotExist(err) {
			t.Errorf("%s is exported although Secrets cannot be read: %v", path, err)
		}
	}
	if got := textOf(t, dir, export.IncompleteFile); !strings.Contains(got, "cluster: ") || !strings.Contains(got, "forbidden: /api/v1/secrets") {
		t.Errorf("%s: %q, want the reason", export.IncompleteFile, got)
	}
}

// On a cluster of the user, only the sandbox's part is exported.
func TestExportOfACluster(t *testing.T) {
	t.Parallel()
	cluster := &fakeShared{fakeCluster{config: api(t, map[string][]any{
		"/api/v1/events": {event("own", "team", "2026-01-01T00:00:01Z", "own"), event("other", "theirs", "2026-01-01T00:00:01Z", "other")},
	})}}
	cluster.scope = provider.Scope{Namespaces: []string{"team"}, Has: func(o *unstructured.Unstructured) bool { return o.GetNamespace() == "team" }}
	s := newSandbox(t, quiet(component.Existing), cluster)
	if err := s.Attach(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := s.writeEvents(t.Context(), &out); err != nil || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), ": own ") {
		t.Errorf("writeEvents() = %q, %v; want only the event of the sandbox", out.String(), err)
	}
	failure := errors.New("forbidden")
	cluster.fail = map[string]error{"scope": failure}
	if err := s.writeEvents(t.Context(), &out); !errors.Is(err, failure) {
		t.Errorf("writeEvents() = %v, want %v", err, failure)
	}
	parts, secrets := s.clusterParts(t.Context(), export.Usual)
	if len(parts) != 1 || len(secrets) != 0 || !errors.Is(parts[0].Get(t.Context(), &out), failure) {
		t.Errorf("clusterParts() without a scope = %d parts, want only the error", len(parts))
	}
}

// Logs of Pods need an API server; logs of processes and of the node do not.
func TestLogPartsOfAnExport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind    string
		cluster provider.Cluster
		answers bool
		want    string
		not     string
	}{
		"kind":           {component.Kind, &fakeCluster{}, true, "logs/operator.log logs/operator.previous.log logs/kubelet.log", "logs/kubelet.previous.log"},
		"kind, down":     {component.Kind, &fakeCluster{}, false, "logs/kubelet.log", "logs/operator.log"},
		"embedded, down": {component.Embedded, &fakeProcesses{}, false, "logs/operator.log logs/etcd.previous.log", "logs/kubelet.log"},
		"existing":       {component.Existing, &fakeShared{}, true, "logs/operator.log logs/jaeger.log", "logs/etcd.log"},
		"existing, down": {component.Existing, &fakeShared{}, false, "", "logs/operator.log"},
	} {
		s := newSandbox(t, quiet(test.kind), test.cluster)
		if err := s.Attach(); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, part := range s.logParts(test.answers) {
			names = append(names, part.Name)
		}
		for _, want := range strings.Fields(test.want) {
			if !slices.Contains(names, want) {
				t.Errorf("%s: logParts() = %q, want %s in them", name, names, want)
			}
		}
		if slices.Contains(names, test.not) {
			t.Errorf("%s: logParts() = %q, want no %s", name, names, test.not)
		}
	}
}

// A log that does not exist is nothing to report. Other errors are.
func TestLogPart(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, test := range []struct{ fail, want error }{{nil, nil}, {os.ErrNotExist, export.ErrNothing}, {workload.ErrNoLog, export.ErrNothing}, {broken, broken}} {
		cluster := &fakeCluster{fail: map[string]error{"logs jaeger false": test.fail}}
		s := newSandbox(t, quiet(component.Kind), cluster)
		if err := s.Attach(); err != nil {
			t.Fatal(err)
		}
		err := s.logPart("logs/jaeger.log", component.Jaeger, provider.LogOptions{}).Get(t.Context(), &strings.Builder{})
		if !errors.Is(err, test.want) || !errors.Is(err, test.fail) {
			t.Errorf("a log that fails with %v: %v, want %v", test.fail, err, test.want)
		}
	}
}

// Records of processes are exported without the values of their variables; other files as they are.
func TestCopyFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, test := range map[string]struct {
		content string
		want    []string
		not     string
	}{
		"jaeger.json":   {`{"env": ["API_TOKEN=squeamish"], "args": ["--config=x"]}`, []string{"API_TOKEN=" + redact.Hidden, "--config=x"}, "squeamish"},
		"operator.json": {`{"env": ["MODE=fast"], "args": ["--password=squeamish"]}`, []string{"--password="}, "squeamish"},
		"node.log":      {"API_TOKEN=squeamish\n", []string{"API_TOKEN=squeamish\n"}, "nothing is hidden here"},
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := copyFile(path)(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q, want %q in it", name, out.String(), want)
			}
		}
		if strings.Contains(out.String(), test.not) {
			t.Errorf("%s: %q, want no %q", name, out.String(), test.not)
		}
	}
	if err := copyFile(filepath.Join(folder, "gone"))(t.Context(), &strings.Builder{}); !os.IsNotExist(err) {
		t.Errorf("copyFile(a missing file) = %v", err)
	}
	if got := files(folder, filepath.Join(folder, "none")); len(got) != 3 {
		t.Errorf("files() = %q, want three", got)
	}
}

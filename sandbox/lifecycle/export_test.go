package lifecycle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/export/redact"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
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

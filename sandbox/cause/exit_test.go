package cause

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, tail, want string
		remedy           bool
	}{
		{"nothing", "", "etcd exited without output", false},
		{"its last line", "a\nb\n", "etcd exited: b; see `sandbox logs etcd`", false},
		{"the line of the error", "x\n{\"level\":\"fatal\",\"msg\":\"bad\"}\n\tgoroutine\n", `etcd exited: {"level":"fatal","msg":"bad"}; `, false},
		{"a panic", "x\npanic: freepages\n\ngoroutine 1\n", "etcd exited: panic: freepages; ", false},
		{"a long line", strings.Repeat("é", 500), "etcd exited: " + strings.Repeat("é", 300) + "…; ", false},
		{"a full disk", "Error: write: no space left on device\n", "etcd exited: Error: write: no space left on device; make room there", true},
		{"a kind", "ERROR setup failed: no matches for kind \"Backup\" in version \"a.example.com/v1\"\n", `etcd exited: ERROR setup failed: no matches for kind "Backup" in version "a.example.com/v1"; the operator requires a kind`, true},
		{"a leader election", `{"level":"error","error":"unable to find leader election namespace: not running in-cluster"}`, `etcd exited: {"level":"error","error":"unable to find leader election namespace: not running in-cluster"}; disable leader election`, true},
		{"a configuration of Pods", "ERROR setup unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST must be defined\npanic: nil\n", "etcd exited: panic: nil; the operator works only in a Pod", true},
		{"a file of Pods", "Error: open /var/run/secrets/kubernetes.io/serviceaccount/namespace: no such file or directory\n", "etcd exited: Error: open /var/run/secrets/kubernetes.io/serviceaccount/namespace: no such file or directory; the operator works", true},
		{"a port", "Error: listen: bind: address already in use", "etcd exited: Error: listen: bind: address already in use; stop the program", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Explain("etcd", test.tail)
			if !strings.HasPrefix(got.Error(), test.want) || (got.Remedy != "") != test.remedy {
				t.Errorf("Explain = %q with remedy %q, want prefix %q", got, got.Remedy, test.want)
			}
			if strings.Contains(got.Error(), "\n") {
				t.Errorf("Explain = %q, want one line", got)
			}
		})
	}
}

package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

func TestLogsCommandLines(t *testing.T) {
	for _, test := range []struct {
		name, log string
		source    bool
		options   workload.LogOptions
		want      string
	}{
		{"own", NodeLog, true, workload.LogOptions{Lines: -1}, "logs test-control-plane"},
		{"own, all options", NodeLog, false, workload.LogOptions{Lines: 5, Since: time.Minute, Follow: true}, "logs --tail=5 --since=1m0s --follow test-control-plane"},
		{"systemd", KubeletLog, false, workload.LogOptions{Lines: 3, Since: time.Minute, Follow: true},
			"exec test-control-plane journalctl --no-pager --unit=kubelet --lines=3 --since=-60s --follow"},
		{"systemd, all", ContainerdLog, false, workload.LogOptions{Lines: -1}, "exec test-control-plane journalctl --no-pager --unit=containerd"},
		{"from source", KubeletLog, true, workload.LogOptions{Lines: 3, Follow: true}, "exec test-control-plane tail --lines=3 --follow=name --retry /var/log/kubelet.log"},
		{"from source, all", ContainerdLog, true, workload.LogOptions{Lines: -1}, "exec test-control-plane tail --lines=+1 /var/log/containerd.log"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, c := enginetest.New(t), newCluster(t)
			f.Engine("podman", "echo out; echo err >&2")
			var out strings.Builder
			if err := c.Logs(t.Context(), &out, test.log, test.source, test.options); err != nil {
				t.Fatal(err)
			}
			if calls := f.Calls("podman"); len(calls) != 1 || calls[0] != test.want {
				t.Errorf("calls = %q, want %q", calls, test.want)
			}
			// The log of a container has both streams; the stderr of a command in it does not
			// belong to the log.
			if got := out.String(); !strings.Contains(got, "out\n") || strings.Contains(got, "err") != (test.log == NodeLog) {
				t.Errorf("Logs: got output %q", got)
			}
		})
	}
}

func TestLogsErrors(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	f.Engine("podman", `i=0; while [ $i -lt 500 ]; do echo "line $i of many words that fill the buffer" >&2; i=$((i+1)); done; echo 'container not running' >&2; exit 125`)
	err := c.Logs(t.Context(), &strings.Builder{}, KubeletLog, true, workload.LogOptions{Lines: 1})
	enginetest.WantError(t, err, "reading the log of kubelet in node test-control-plane", "container not running")

	f.Engine("podman", `exec sleep 60`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Logs(ctx, &strings.Builder{}, KubeletLog, true, workload.LogOptions{Follow: true}); err != nil {
		t.Errorf("Logs with Follow: got error %v at the end of the context", err)
	}
}

func TestInspect(t *testing.T) {
	f, c := enginetest.New(t), newCluster(t)
	digest := strings.Repeat("0a", 32)
	started := time.Date(2026, 11, 23, 2, 20, 9, 5, time.UTC)
	for _, image := range []string{digest, "sha256:" + digest} { // As podman and docker print it.
		f.Engine("podman", `echo '{"image":"`+image+`","started":"2026-11-23T02:20:09.000000005Z"}'`)
		got, err := c.Inspect(t.Context())
		if want := (Container{Image: "sha256:" + digest, Started: started}); err != nil || got != want {
			t.Errorf("Inspect = %+v, %v, want %+v", got, err, want)
		}
	}
	f.Engine("podman", `echo 'no such container' >&2; exit 125`)
	_, err := c.Inspect(t.Context())
	enginetest.WantError(t, err, "inspecting node test-control-plane", "no such container")
	f.Engine("podman", `echo none`)
	_, err = c.Inspect(t.Context())
	enginetest.WantError(t, err, "inspecting node test-control-plane", "invalid character")
}

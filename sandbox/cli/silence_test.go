package cli

import (
	"bytes"
	"errors"
	"testing"

	"k8s.io/klog/v2"

	"github.com/operator-tracing/sandbox/sandbox/companion"
)

// Log lines of client-go do not reach the user's terminal, but the logs of the sandbox's own processes.
func TestSilence(t *testing.T) {
	defer klog.CaptureState().Restore()
	for want, args := range map[bool][]string{true: {companion.Name, "--name=a"}, false: {"up"}} {
		var out bytes.Buffer
		klog.ClearLogger()
		klog.LogToStderr(false)
		klog.SetOutput(&out)
		Silence(args)
		klog.Background().Error(errors.New("context canceled"), "Unexpected error when reading response body")
		klog.Flush()
		if got := out.Len() > 0; got != want {
			t.Errorf("after Silence(%q), klog writes %q, want %t", args, &out, want)
		}
	}
}

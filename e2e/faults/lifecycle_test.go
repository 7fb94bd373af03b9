package faults

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// faultLimit is the timeout of the end-to-end tests on a running cluster. They change the
// operator's Deployment.
const faultLimit = 75 * time.Second

// TestOwnedSandboxIsRemoved ends the end-to-end tests by a signal and by their timeout. The cluster
// that they created is removed. Package faults/embedded tests the other endings.
func TestOwnedSandboxIsRemoved(t *testing.T) {
	s := newSandbox(t)
	s.Endings(faultLimit, nil, func(t *testing.T) {
		wantNothingLeft(t)
		if _, err := os.Stat(filepath.Join(s.Dir, "state.json")); !os.IsNotExist(err) {
			t.Errorf("the record in %s still exists: %v", s.Dir, err)
		}
	}, "SIGINT", "timeout")
}

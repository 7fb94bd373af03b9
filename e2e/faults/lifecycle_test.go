package faults

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// faultLimit is the end-to-end tests' time limit: from the cluster being up to their end. They change the operator's Deployment.
const faultLimit = 75 * time.Second

// TestOwnedSandboxIsRemoved ends the end-to-end tests by a signal and by their time limit: the cluster that they made is gone then.
// Package faults/embedded has the other ways.
func TestOwnedSandboxIsRemoved(t *testing.T) {
	s := newSandbox(t)
	s.Endings(faultLimit, nil, func(t *testing.T) {
		wantNothingLeft(t)
		if _, err := os.Stat(filepath.Join(s.Dir, "state.json")); !os.IsNotExist(err) {
			t.Errorf("the record in %s is left: %v", s.Dir, err)
		}
	}, "SIGINT", "timeout")
}

package faultcmd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/faults"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// A recorded list is used only for the same operator, objects and options.
func TestRecorded(t *testing.T) {
	t.Parallel()
	dir := state.Dir{Path: t.TempDir()}
	operator := process.Spec{Path: "/a"}
	options := faults.Options{Samples: []*unstructured.Unstructured{{Object: map[string]any{"kind": "Head"}}}}
	want := &report.Report{Sample: "Head web", Clean: report.Clean{Writes: []string{"create ChildA"}}, Plans: []report.Plan{{Plan: "write:1,kill-after"}}}
	if r := newRecorded(dir, operator, options).load(nil); r != nil {
		t.Errorf("load() before save() = %+v", r)
	}
	if err := newRecorded(dir, operator, options).save(want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, newRecorded(dir, operator, options).load(nil)); diff != "" {
		t.Errorf("load() (-want +got):\n%s", diff)
	}
	changed := options
	changed.Full = true
	if r := newRecorded(dir, operator, changed).load(nil); r != nil {
		t.Errorf("load() with other options = %+v", r)
	}
	if r := newRecorded(dir, process.Spec{Path: "/b"}, options).load(nil); r != nil {
		t.Errorf("load() with another operator = %+v", r)
	}
	changed = options
	changed.Samples = []*unstructured.Unstructured{{Object: map[string]any{"kind": "ChildA"}}}
	if r := newRecorded(dir, operator, changed).load(nil); r != nil {
		t.Errorf("load() with another sample = %+v", r)
	}
}

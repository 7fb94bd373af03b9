package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Subject describes an installed operator for later commands, which check its readiness and find
// its traces. It is stored in the sandbox's state folder, because the original files can change.
type Subject struct {
	// File is the path of the sandbox.yaml; empty for the reference operator.
	File string `json:"file,omitempty"`
	// ServiceName is the service.name of the operator's spans.
	ServiceName string `json:"serviceName"`
	// Annotation is the annotation that the webhook adds to new objects; empty if unknown. See
	// [Webhook].
	Annotation string `json:"annotation,omitempty"`
	// Condition is the condition that its custom resources reach.
	Condition condition.Condition `json:"condition"`
	// Samples are the sample objects as applied; at least one.
	Samples []*unstructured.Unstructured `json:"samples"`
	// Update are the objects with which fault runs change the sample; see [Faults].
	Update []*unstructured.Unstructured `json:"update,omitempty"`
}

// Subject returns the Subject of the manifests.
func (m *Manifests) Subject() Subject {
	reached, _ := condition.Parse(m.project.File.Sample.Condition) // The decoder has validated it.
	return Subject{
		File: m.project.Path, ServiceName: m.ServiceName, Annotation: m.project.File.Operator.Webhook.Annotation,
		Condition: reached, Samples: m.Samples, Update: m.Update,
	}
}

// DefaultSubject returns the Subject of the reference operator.
func DefaultSubject() (Subject, error) {
	p, err := Default()
	if err != nil {
		return Subject{}, err
	}
	m, err := p.Render()
	if err != nil {
		return Subject{}, err
	}
	return m.Subject(), nil
}

// Kind returns the kind of the object whose trace is shown.
func (s Subject) Kind() schema.GroupVersionKind { return s.Samples[0].GroupVersionKind() }

// Sample returns the name of the object whose trace is shown. The namespace is empty if the kind is
// cluster-scoped.
func (s Subject) Sample() types.NamespacedName {
	return types.NamespacedName{Namespace: s.Samples[0].GetNamespace(), Name: s.Samples[0].GetName()}
}

// SaveSubject writes a Subject to a file atomically.
func SaveSubject(path string, s Subject) error {
	if err := state.Write(path, s); err != nil {
		return fmt.Errorf("writing the description of the operator: %w", err)
	}
	return nil
}

// LoadSubject reads the file that SaveSubject wrote. If the file does not exist, it returns the
// [DefaultSubject], because old versions supported only the reference operator and wrote no file.
func LoadSubject(path string) (Subject, error) {
	data, err := input.ReadOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultSubject()
	}
	var s Subject
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && len(s.Samples) == 0 {
		err = errors.New("samples are empty")
	}
	if err != nil {
		return Subject{}, fmt.Errorf("reading the description of the operator from %s: %w; run %s to replace it", path, err, hint.Run("up"))
	}
	return s, nil
}

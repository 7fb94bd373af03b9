package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Subject is what must be known of an operator once it is installed: to ask whether it serves, and to find its traces. It is
// kept in the sandbox's state folder, since the files that it came from may change or go.
type Subject struct {
	// File is the path of its sandbox.yaml; empty for the reference operator.
	File string `json:"file,omitempty"`
	// ServiceName is what its spans have as service.name.
	ServiceName string `json:"serviceName"`
	// Annotation is what its webhook adds to new objects; empty where that is not known. See [Webhook].
	Annotation string `json:"annotation,omitempty"`
	// Condition is what its custom resources come to.
	Condition Condition `json:"condition"`
	// Samples are the objects that show what it does, as they are applied; at least one.
	Samples []*unstructured.Unstructured `json:"samples"`
}

// Subject is that of the manifests.
func (m *Manifests) Subject() Subject {
	condition, _ := parseCondition(m.project.File.Sample.Condition) // It was checked.
	return Subject{
		File: m.project.Path, ServiceName: m.ServiceName, Annotation: m.project.File.Operator.Webhook.Annotation,
		Condition: condition, Samples: m.Samples,
	}
}

// DefaultSubject is the reference operator's.
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

// Kind is that of the object whose trace is shown.
func (s Subject) Kind() schema.GroupVersionKind { return s.Samples[0].GroupVersionKind() }

// Sample is the name of the object whose trace is shown. Its namespace is empty where its kind has none.
func (s Subject) Sample() types.NamespacedName {
	return types.NamespacedName{Namespace: s.Samples[0].GetNamespace(), Name: s.Samples[0].GetName()}
}

// SaveSubject writes a Subject to a file in one step.
func SaveSubject(path string, s Subject) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.WriteFile(path+".new", append(data, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing down what the sandbox runs: %w", err)
	}
	return nil
}

// LoadSubject reads what SaveSubject wrote. Where there is no file, what runs is the reference operator: sandboxes from before
// there were others wrote none.
func LoadSubject(path string) (Subject, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultSubject()
	}
	var s Subject
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && len(s.Samples) == 0 {
		err = errors.New("it names no object")
	}
	if err != nil {
		return Subject{}, fmt.Errorf("reading what the sandbox runs from %s: %w; `sandbox up` writes it anew", path, err)
	}
	return s, nil
}

package session

import (
	"bytes"
	"cmp"
	"path/filepath"

	"github.com/operator-tracing/sandbox/sandbox/view"
)

// Labels returns the span attributes that the sandbox shows behind the names of spans.
func Labels() []string { return []string{"operator.object.name"} }

// JaegerPage returns the web page of a Jaeger that is built from source: its Go module has only a
// placeholder.
func JaegerPage() ([]byte, error) {
	var page bytes.Buffer
	err := view.WriteJaegerPage(&page, Labels()...)
	return page.Bytes(), err
}

// KeepJaegerConfig writes the path of Jaeger's configuration file into the record.
func (s *Session) KeepJaegerConfig() (err error) {
	switch s.JaegerConfig {
	case "":
	case NoJaegerConfig:
		s.Record.JaegerConfig = ""
	default:
		s.Record.JaegerConfig, err = filepath.Abs(s.JaegerConfig)
	}
	return err
}

// ReadJaegerConfig returns the user's configuration of Jaeger, or nil for the sandbox's.
func (s *Session) ReadJaegerConfig() ([]byte, error) {
	path := cmp.Or(s.JaegerConfig, s.Record.JaegerConfig)
	if path == "" || path == NoJaegerConfig {
		return nil, nil
	}
	return readJaegerConfig(path)
}

// Replicas returns how many Pods of the operator are wanted; 0 means the number in its manifests.
func (s *Session) Replicas() int { return cmp.Or(s.OperatorReplicas, s.Record.OperatorReplicas) }

package assess

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/explain/compare"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

// Reader reads traces of a running sandbox.
type Reader interface {
	// Object reads the current trace of an object.
	Object(cmd *cobra.Command, reference string) (tracetree.Trace, error)
	// ID reads the trace with an ID.
	ID(cmd *cobra.Command, id string) (tracetree.Trace, error)
}

// newRun measures a trace.
func newRun(trace tracetree.Trace) (compare.Run, error) {
	return compare.NewRun(trace.ID, trace.Forest(), operatorsPart(trace).Forest())
}

// operatorsPart returns the trace without the observer's spans, whose number differs from run to run.
// If there are no others, because the operator is not instrumented, it returns the whole trace.
func operatorsPart(trace tracetree.Trace) tracetree.Trace {
	if part := trace.Without(observe.Scope); part.Len() > 0 {
		return part
	}
	return trace
}

var (
	traceID = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)
	// pathLike matches arguments that are paths, and not names of objects: a name has at most one slash.
	pathLike = regexp.MustCompile(`^[.~]|^/|/$|/.*/|\\\\|\.(json|jsonl|ndjson|gz|txt|log|tree|yaml|yml)$`)
)

// readSide reads one side of a comparison: files, folders, IDs and objects, separated by commas.
func readSide(cmd *cobra.Command, reader Reader, argument string) (compare.Set, error) {
	set := compare.Set{Name: argument}
	for item := range strings.SplitSeq(argument, ",") {
		runs, err := readItem(cmd, reader, item)
		if err != nil {
			return set, err
		}
		set.Runs = append(set.Runs, runs...)
	}
	return set, nil
}

func readItem(cmd *cobra.Command, reader Reader, item string) ([]compare.Run, error) {
	if _, err := os.Stat(item); err == nil {
		return readFiles(item)
	} else if !errors.Is(err, fs.ErrNotExist) || pathLike.MatchString(item) {
		return nil, fmt.Errorf("reading traces: %w", err)
	}
	var trace tracetree.Trace
	var err error
	if traceID.MatchString(item) {
		trace, err = reader.ID(cmd, item)
	} else if trace, err = reader.Object(cmd, item); err != nil {
		err = fmt.Errorf("reading traces: no file %s; as an object: %w", item, err)
	}
	if err != nil {
		return nil, err
	}
	run, err := newRun(trace)
	return []compare.Run{run}, err
}

// readFiles reads a file, or the files of a folder.
func readFiles(path string) (runs []compare.Run, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("reading traces: %w", err)
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return readFile(path)
	}
	err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(name) != ".json" && filepath.Ext(name) != ".jsonl" {
			return err
		}
		found, err := readFile(name)
		if errors.Is(err, tracetree.ErrNoTraces) {
			return nil // A folder can have other JSON files.
		}
		runs = append(runs, found...)
		return err
	})
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("no .json or .jsonl file with traces in %s", path)
	}
	return runs, err
}

// readFile reads OTLP JSON, each trace of which is a run, or measurements that bench saved.
func readFile(path string) ([]compare.Run, error) {
	data, err := input.ReadFile(path, input.MaxTraces)
	if err != nil {
		return nil, err
	}
	if isSet(data) {
		set, err := compare.ParseSet(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return set.Runs, nil
	}
	traces, err := tracetree.ReadOTLP(path, data)
	if err != nil {
		return nil, err
	}
	var runs []compare.Run
	for _, trace := range tracetree.Join(traces) {
		run, err := newRun(trace)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// isSet reports whether a file has measurements and not traces.
func isSet(data []byte) bool {
	var fields map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&fields); err != nil {
		return false
	}
	_, found := fields["runs"]
	return found
}

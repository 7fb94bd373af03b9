package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/export/redact"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Exported is the result of an export.
type Exported struct {
	Dir   string
	Files int
	// Missing lists the parts that could not be read. The file export.IncompleteFile in Dir has the
	// same list.
	Missing []error
}

// Export writes a description of the sandbox into dir, which must be empty or missing: versions,
// options, status, the findings of the doctor, objects, events, logs, and the trace of the sample. It
// hides the keys, tokens and passwords that package export recognizes. It works if the sandbox is down or broken. It returns an error if
// it cannot write dir.
func (s *Sandbox) Export(ctx context.Context, dir string, limits export.Limits) (Exported, error) {
	findings := func(ctx context.Context) (doctor.Report, error) {
		return Doctor(ctx, s.Options, func(string, ...any) {})
	}
	return s.export(ctx, dir, limits, findings)
}

// kept is the number of diagnostics of failed commands in the sandbox's folder.
const kept = 3

// Diagnose writes a brief export into the sandbox's folder after a command failed. It keeps the last
// three exports, and starts no container.
func (s *Sandbox) Diagnose(ctx context.Context) (Exported, error) {
	dir := filepath.Join(s.Dir.Diagnostics(), time.Now().UTC().Format("20060102T150405.000Z"))
	findings := func(ctx context.Context) (doctor.Report, error) {
		return doctor.Examine(doctor.Gather(ctx, s.subject(), doctor.Slow{})), nil
	}
	exported, err := s.export(ctx, dir, export.Brief, findings)
	if err != nil {
		_ = os.RemoveAll(dir) // For example because the disk is full. Half an export is useless.
		return exported, err
	}
	entries, err := os.ReadDir(s.Dir.Diagnostics()) // By name, which is by time.
	if err != nil {
		return exported, err
	}
	for _, old := range entries[:max(0, len(entries)-kept)] {
		_ = os.RemoveAll(filepath.Join(s.Dir.Diagnostics(), old.Name())) // It goes with the next.
	}
	return exported, nil
}

func (s *Sandbox) export(ctx context.Context, dir string, limits export.Limits, findings func(context.Context) (doctor.Report, error)) (Exported, error) {
	parts := []export.Part{
		{Name: "versions.txt", Get: writeVersions},
		jsonPart("options.json", func(context.Context) (any, error) {
			options := s.Options
			options.OperatorEnv, _ = redact.Variables(options.OperatorEnv)
			return options, nil
		}),
		jsonPart("state.json", func(context.Context) (any, error) {
			record := s.Record
			record.OperatorEnv, _ = redact.Variables(record.OperatorEnv)
			return record, nil
		}),
		jsonPart("status.json", func(ctx context.Context) (any, error) {
			status, err := s.Status(ctx)
			status.OperatorEnv, _ = redact.Variables(status.OperatorEnv)
			return status, err
		}),
		jsonPart("doctor.json", func(ctx context.Context) (any, error) { return findings(ctx) }),
	}
	parts = append(parts, s.stateParts()...)
	values := append(s.secretValues(), redact.Known{Name: "jaegerPassword", Value: s.Record.JaegerPassword, Sure: true})
	if s.Record.Name != "" {
		more, secrets := s.clusterParts(ctx, limits)
		parts, values = append(parts, more...), append(values, secrets...)
	}
	files, missing, err := export.Write(ctx, dir, parts, redact.New(values), limits)
	return Exported{Dir: dir, Files: files, Missing: missing}, err
}

// jsonPart writes a value even if an error comes with it.
func jsonPart(name string, get func(context.Context) (any, error)) export.Part {
	return export.Part{Name: name, Get: func(ctx context.Context, out io.Writer) error {
		value, err := get(ctx)
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return errors.Join(err, encoder.Encode(value))
	}}
}

func writeVersions(_ context.Context, out io.Writer) error {
	info, found := debug.ReadBuildInfo()
	if !found {
		return errors.New("the program does not know what it was built from")
	}
	_, err := fmt.Fprintf(out, "written\t%s\n%s", time.Now().UTC().Format(time.RFC3339), info)
	return err
}

// stateParts are files of the sandbox's folder: what its processes were started with, and what kind collected of a node that it
// could not make.
func (s *Sandbox) stateParts() []export.Part {
	var parts []export.Part
	for _, path := range files(s.Dir.Records(), s.Dir.KindLogs()) {
		if name, err := filepath.Rel(s.Dir.Path, path); err == nil {
			parts = append(parts, export.Part{Name: filepath.ToSlash(name), Get: copyFile(path)})
		}
	}
	return parts
}

// files returns the regular files below folders. It omits missing and unreadable files: they cannot be
// exported, and cannot be in a log.
func files(folders ...string) []string {
	var found []string
	for _, folder := range folders {
		_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				found = append(found, path)
			}
			return nil //nolint:nilerr // A file that cannot be read is omitted.
		})
	}
	return found
}

// largestRecord is the maximum number of bytes of a JSON file whose structure is known.
const largestRecord = 8 << 20

// ofOperator reports whether a file is the record of the operator, whose arguments are the user's.
func ofOperator(path string) bool { return filepath.Base(path) == component.Operator+".json" }

// copyFile copies a file. It hides the values of variables and arguments in JSON.
func copyFile(path string) func(context.Context, io.Writer) error {
	return func(_ context.Context, out io.Writer) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // It was only read.
		if filepath.Ext(path) != ".json" {
			_, err = io.Copy(out, file)
			return err
		}
		data, err := io.ReadAll(io.LimitReader(file, largestRecord))
		if err == nil {
			data, _ = redact.JSON(data, ofOperator(path))
			_, err = out.Write(data)
		}
		return err
	}
}

// clusterParts are what the cluster and its engine tell, and what its Secrets hold. Where the API server does not answer, that is
// said once.
func (s *Sandbox) clusterParts(ctx context.Context, limits export.Limits) (parts []export.Part, secrets []redact.Known) {
	if err := s.Attach(); err != nil {
		return lacking("cluster", err), nil
	}
	if node, ok := s.cluster.(provider.Describer); ok {
		parts = append(parts, node.Descriptions()...)
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Part)
	defer cancel()
	var config *rest.Config
	err := s.cluster.Alive(ctx)
	if err == nil {
		config, err = s.cluster.RESTConfig()
	}
	if err != nil {
		return append(append(parts, lacking("objects", err)...), s.logParts(false)...), nil
	}
	parts = append(parts, s.logParts(true)...)
	parts = append(parts, export.Part{Name: "events.txt", Get: s.writeEvents}, export.Part{Name: "traces/sample.json", Get: s.writeSampleTrace})
	scope, err := s.scope(ctx)
	if err != nil {
		return lacking("cluster", err), nil
	}
	objects, err := export.Objects(ctx, config, scope.Has)
	if err != nil {
		objects = lacking("objects", err)
	}
	secrets, err = export.KnownValues(ctx, config, scope.Namespaces...)
	if err != nil {
		// What can't be recognised can't be hidden: rather no objects and logs than a password in them.
		return lacking("cluster", err), nil
	}
	return append(parts, objects...), secrets
}

func lacking(name string, err error) []export.Part {
	return []export.Part{{Name: name, Get: func(context.Context, io.Writer) error { return err }}}
}

func (s *Sandbox) scope(ctx context.Context) (provider.Scope, error) {
	if c, ok := s.cluster.(provider.Consenting); ok {
		return c.Scope(ctx)
	}
	return provider.Scope{}, nil
}

// exportedLines is the maximum number of lines of a log in an export.
const exportedLines = 20_000

// logParts returns the logs. The logs of Pods need an API server that answers.
func (s *Sandbox) logParts(answers bool) []export.Part {
	var parts []export.Part
	_, processes := s.cluster.(provider.Stopper)
	for _, name := range provider.LogNames(s.Record.Cluster) {
		ofNode := slices.Contains(cluster.NodeLogs(), name)
		if !processes && !ofNode && !answers {
			continue
		}
		parts = append(parts, s.logPart("logs/"+name+".log", name, provider.LogOptions{Lines: exportedLines}))
		if !ofNode {
			parts = append(parts, s.logPart("logs/"+name+".previous.log", name, provider.LogOptions{Lines: exportedLines, Previous: true}))
		}
	}
	for _, name := range []string{companion.Name, companion.GateName} {
		parts = append(parts, s.logPart("logs/"+name+".log", name, provider.LogOptions{Lines: exportedLines}))
	}
	return parts
}

func (s *Sandbox) logPart(file, name string, o provider.LogOptions) export.Part {
	return export.Part{Name: file, Get: func(ctx context.Context, out io.Writer) error {
		err := s.Logs(ctx, out, name, o)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, workload.ErrNoLog) {
			return fmt.Errorf("%w: %w", export.ErrNothing, err)
		}
		return err
	}}
}

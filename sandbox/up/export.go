package up

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
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/install"
)

// Exported is what came of an export.
type Exported struct {
	Dir   string
	Files int
	// Missing is what could not be gathered; the file export.IncompleteFile in Dir says the same.
	Missing []error
}

// Export writes all that is known of the sandbox into dir, which must be empty or missing, without keys, tokens and passwords:
// versions, options, status, the doctor's findings, objects, events, logs, and the sample's trace. It works on a sandbox that is
// down or broken. The error is that dir can't be written.
func (r *Run) Export(ctx context.Context, dir string, limits export.Limits) (Exported, error) {
	findings := func(ctx context.Context) (doctor.Report, error) {
		return Doctor(ctx, r.Options, func(string, ...any) {})
	}
	return r.export(ctx, dir, limits, findings)
}

// kept is how many diagnostics of failed commands are kept.
const kept = 3

// Diagnose is a brief export into the sandbox's own folder, for a command that failed. It keeps the last three, and starts
// nothing.
func (r *Run) Diagnose(ctx context.Context) (Exported, error) {
	dir := filepath.Join(r.Dir.Diagnostics(), time.Now().UTC().Format("20060102T150405.000Z"))
	findings := func(ctx context.Context) (doctor.Report, error) {
		return doctor.Examine(doctor.Gather(ctx, r.subject(), doctor.Slow{})), nil
	}
	exported, err := r.export(ctx, dir, export.Brief, findings)
	if err != nil {
		_ = os.RemoveAll(dir) // A full disk, say: half of it helps nobody.
		return exported, err
	}
	entries, err := os.ReadDir(r.Dir.Diagnostics()) // By name, which is by time.
	if err != nil {
		return exported, err
	}
	for _, old := range entries[:max(0, len(entries)-kept)] {
		_ = os.RemoveAll(filepath.Join(r.Dir.Diagnostics(), old.Name())) // It goes with the next.
	}
	return exported, nil
}

func (r *Run) export(ctx context.Context, dir string, limits export.Limits, findings func(context.Context) (doctor.Report, error)) (Exported, error) {
	parts := []export.Part{
		{Name: "versions.txt", Get: writeVersions},
		{Name: "options.json", Get: func(_ context.Context, out io.Writer) error { return writeJSON(out, r.shownOptions()) }},
		{Name: "state.json", Get: func(_ context.Context, out io.Writer) error {
			record := r.Record
			record.OperatorEnv = shownVariables(record.OperatorEnv)
			return writeJSON(out, record)
		}},
		{Name: "status.json", Get: func(ctx context.Context, out io.Writer) error {
			status, err := r.Status(ctx)
			status.OperatorEnv = shownVariables(status.OperatorEnv)
			return errors.Join(err, writeJSON(out, status))
		}},
		{Name: "doctor.json", Get: func(ctx context.Context, out io.Writer) error {
			report, err := findings(ctx)
			return errors.Join(err, writeJSON(out, report))
		}},
	}
	parts = append(parts, r.stateParts()...)
	values := r.secretValues()
	if r.Record.Name != "" {
		more, secrets := r.clusterParts(ctx, limits)
		parts, values = append(parts, more...), append(values, secrets...)
	}
	files, missing, err := export.Write(ctx, dir, parts, export.NewRedactor(values), limits)
	return Exported{Dir: dir, Files: files, Missing: missing}, err
}

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// writeVersions writes what this program was built from.
func writeVersions(_ context.Context, out io.Writer) error {
	info, found := debug.ReadBuildInfo()
	if !found {
		return errors.New("the program does not know what it was built from")
	}
	_, err := fmt.Fprintf(out, "written\t%s\n%s", time.Now().UTC().Format(time.RFC3339), info)
	return err
}

// shownOptions are the options without the values of variables that may be secret.
func (r *Run) shownOptions() Options {
	o := r.Options
	o.OperatorEnv = shownVariables(o.OperatorEnv)
	return o
}

// shownVariables is a list of NAME=VALUE without the values that may be secret.
func shownVariables(list []string) []string {
	list = slices.Clone(list)
	for i, variable := range list {
		if name, _, _ := strings.Cut(variable, "="); export.Telling(name) {
			list[i] = name + "=" + export.Hidden
		}
	}
	return list
}

// stateParts are files of the sandbox's folder: what its processes were started with, and what kind collected of a node that it
// could not make.
func (r *Run) stateParts() []export.Part {
	var parts []export.Part
	for _, folder := range []string{r.Dir.Records(), r.Dir.KindLogs()} {
		_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil //nolint:nilerr // What is not there, or can't be read, is not exported.
			}
			name, err := filepath.Rel(r.Dir.Path, path)
			if err == nil {
				parts = append(parts, export.Part{Name: filepath.ToSlash(name), Get: copyFile(path)})
			}
			return nil
		})
	}
	return parts
}

func copyFile(path string) func(context.Context, io.Writer) error {
	return func(_ context.Context, out io.Writer) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // It was only read.
		_, err = io.Copy(out, file)
		return err
	}
}

// clusterParts are what the cluster and its engine tell, and what its Secrets hold. Where the API server does not answer, that is
// said once.
func (r *Run) clusterParts(ctx context.Context, limits export.Limits) (parts []export.Part, secrets []string) {
	if err := r.Attach(); err != nil {
		return lacking("cluster", err), nil
	}
	if r.cluster != nil {
		for _, what := range cluster.Descriptions() {
			parts = append(parts, export.Part{Name: "node/" + what + ".txt", Get: func(ctx context.Context, out io.Writer) error {
				return r.cluster.Describe(ctx, out, what)
			}})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Part)
	defer cancel()
	config, err := r.askable(ctx)
	if err != nil {
		return append(append(parts, lacking("objects", err)...), r.logParts(false)...), nil
	}
	parts = append(parts, r.logParts(true)...)
	parts = append(parts, export.Part{Name: "events.txt", Get: r.writeEvents}, export.Part{Name: "traces/sample.json", Get: r.writeSampleTrace})
	scope, err := r.scope(ctx)
	if err != nil {
		return lacking("cluster", err), nil
	}
	objects, err := export.ObjectsWhere(ctx, config, "", scope.has)
	if err != nil {
		objects = lacking("objects", err)
	}
	secrets, err = export.SecretValues(ctx, config, scope.namespaces...)
	if err != nil {
		// What can't be recognised can't be hidden: rather no objects and logs than a password in them.
		return lacking("cluster", err), nil
	}
	return append(parts, objects...), secrets
}

// lacking is a part that only says why there is none.
func lacking(name string, err error) []export.Part {
	return []export.Part{{Name: name, Get: func(context.Context, io.Writer) error { return err }}}
}

// askable is the way to an API server that answers.
func (r *Run) askable(ctx context.Context) (*rest.Config, error) {
	var alive func(context.Context) error
	switch {
	case r.Embedded():
		alive = r.processes.Alive
	case r.existing:
		alive = func(ctx context.Context) error { _, err := r.askExisting(ctx); return err }
	default:
		alive = r.cluster.Alive
	}
	if err := alive(ctx); err != nil {
		return nil, err
	}
	config, err := r.restConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// exportedLines is how much of a log is exported, at most.
const exportedLines = 20_000

// logParts are the logs. Without an API server those of Pods can't be had.
func (r *Run) logParts(answers bool) []export.Part {
	var parts []export.Part
	for _, name := range LogNames(r.Record.Cluster) {
		ofNode := slices.Contains(cluster.NodeLogs(), name)
		if !r.Embedded() && !ofNode && !answers {
			continue
		}
		parts = append(parts, r.logPart("logs/"+name+".log", name, LogOptions{Lines: exportedLines}))
		if !ofNode {
			parts = append(parts, r.logPart("logs/"+name+".previous.log", name, LogOptions{Lines: exportedLines, Previous: true}))
		}
	}
	return parts
}

func (r *Run) logPart(file, name string, o LogOptions) export.Part {
	return export.Part{Name: file, Get: func(ctx context.Context, out io.Writer) error {
		err := r.Logs(ctx, out, name, o)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, install.ErrNoLog) {
			return fmt.Errorf("%w: %w", export.ErrNothing, err)
		}
		return err
	}}
}

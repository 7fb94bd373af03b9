package scaffold

import (
	"github.com/operator-tracing/sandbox/sandbox/input"

	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Guess is the sandbox.yaml derived from the files of a project.
type Guess struct {
	// File is the parsed file, and Text its content.
	File project.File
	Text string
	// Notes describe the origin of each field, in the order of the file.
	Notes []Note
	// Missing is the reason why the sandbox cannot use the file yet; nil if it can.
	Missing error
}

// Note describes the value of one field and its origin.
type Note struct{ Field, Value, From string }

// kubebuilder is the relevant part of a PROJECT file.
type kubebuilder struct {
	ProjectName string `json:"projectName"`
	Resources   []struct {
		Group, Version, Kind string
		Controller           bool
	} `json:"resources"`
}

// reader reads one project.
type reader struct {
	folder  string
	project kubebuilder
	source  source
	Guess
}

// Read reads the kubebuilder project in a folder. It returns an error if a required part of the
// project is missing.
func Read(folder string) (*Guess, error) {
	r := &reader{folder: folder, Guess: Guess{File: project.File{APIVersion: project.APIVersion, Kind: project.Kind}}}
	for _, step := range []func() error{r.readProject, r.findMain, r.findManifests, r.findService, r.findWebhook, r.findSample} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("reading the project in %s: %w", folder, err)
		}
	}
	r.complete()
	return &r.Guess, nil
}

func (r *reader) note(field, value, from string, args ...any) {
	r.Notes = append(r.Notes, Note{field, value, fmt.Sprintf(from, args...)})
}

func (r *reader) exists(names ...string) bool {
	_, err := os.Stat(filepath.Join(append([]string{r.folder}, names...)...))
	return err == nil
}

// readProject reads PROJECT and go.mod.
func (r *reader) readProject() error {
	data, err := input.ReadFile(filepath.Join(r.folder, "PROJECT"), input.MaxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no PROJECT file of kubebuilder or operator-sdk; run this command in the folder of the project, or write sandbox.yaml by hand (see docs/sandbox-yaml.md)")
	}
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(data, &r.project); err != nil {
		return fmt.Errorf("reading PROJECT: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	data, err = input.ReadFile(filepath.Join(r.folder, "go.mod"), input.MaxConfig)
	if err != nil {
		return fmt.Errorf("reading go.mod: %w", err)
	}
	if modfile.ModulePath(data) == "" {
		return errors.New("reading go.mod: no module directive")
	}
	return nil
}

// findMain finds the main package. kubebuilder generates it in cmd, or before version 4 in the root
// folder.
func (r *reader) findMain() (err error) {
	places := []string{"cmd", "."}
	if nested, err := filepath.Glob(filepath.Join(r.folder, "cmd", "*", "main.go")); err == nil && len(nested) == 1 {
		places = append(places, filepath.Join("cmd", filepath.Base(filepath.Dir(nested[0]))))
	}
	at := slices.IndexFunc(places, func(place string) bool { return r.exists(place, "main.go") })
	if at < 0 {
		return errors.New("no main package: neither cmd/main.go nor main.go exists")
	}
	main := "./" + filepath.ToSlash(places[at])
	if places[at] == "." {
		main = "."
	}
	r.File.Operator.Build = &project.Build{Main: main}
	r.note("operator.build.main", main, "%s exists", filepath.ToSlash(filepath.Join(places[at], "main.go")))
	r.source, err = readSource(r.folder, filepath.Join(r.folder, places[at]))
	return err
}

func (r *reader) findManifests() error {
	if !r.exists("config", "default") {
		return errors.New("no config/default, which installs the operator")
	}
	r.File.Operator.Manifests = []string{"config/default"}
	r.note("operator.manifests", "config/default", "used by `make deploy`")
	return nil
}

func (r *reader) findService() error {
	name, from := r.source.serviceName, "WithServiceName in main.go"
	if name == "" {
		name, from = r.project.ProjectName, "project name in PROJECT"
	}
	if name == "" {
		return nil // The default is the name of the Deployment.
	}
	r.File.Operator.ServiceName = name
	r.note("operator.serviceName", name, "%s", from)
	return nil
}

// traceparent is the annotation that the tracing library's webhooks add.
const traceparent = "tracing.k8s.io/traceparent"

func (r *reader) findWebhook() error {
	if r.source.tracedWebhook != "" {
		r.File.Operator.Webhook.Annotation = traceparent
		r.note("operator.webhook.annotation", traceparent, "%s wraps a webhook with the tracing library", r.source.tracedWebhook)
	}
	return nil
}

// findSample chooses the sample of the first kind with a controller.
func (r *reader) findSample() error {
	if !r.exists("config", "samples") {
		return errors.New("no config/samples; add an object that shows the work of the operator")
	}
	chosen, from := "config/samples", "all samples: none has the file name of a kind in PROJECT"
	for _, resource := range r.project.Resources {
		file := fmt.Sprintf("%s_%s_%s.yaml", resource.Group, resource.Version, strings.ToLower(resource.Kind))
		if resource.Controller && r.exists("config", "samples", file) {
			chosen, from = "config/samples/"+file, "first kind with a controller in PROJECT is "+resource.Kind
			break
		}
	}
	r.File.Sample.Manifests = []string{chosen}
	r.note("sample.manifests", chosen, "%s", from)
	condition, why := "Ready=True", "default"
	switch {
	case r.source.conditions["Ready"] != "":
		why = r.source.conditions["Ready"] + " contains \"Ready\""
	case r.source.conditions["Available"] != "":
		condition, why = "Available=True", r.source.conditions["Available"]+" contains \"Available\", and no file contains \"Ready\""
	default:
		why += "; no source file contains it, so check that the operator sets this condition"
	}
	r.File.Sample.Condition = condition
	r.note("sample.condition", condition, "%s", why)
	return nil
}

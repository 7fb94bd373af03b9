package input

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/config"
)

// Disk is the file system in which the manifests of a project are rendered. It reads regular files
// of at most [MaxManifest] bytes, whose aliases [CheckYAML] accepts.
//
// Unless the project is trusted, it reads only files in the project's folder, and no
// kustomization with remote parts: kustomize runs git and sends requests for these. A Disk is safe
// for concurrent use.
type Disk struct {
	filesys.FileSystem
	root    string // empty if the project is trusted
	refused *error // the first refusal of a rendering, because kustomize replaces some errors
	reads   *int   // the number of files that a rendering read
}

// maxReads is the maximum number of files that a rendering reads. Kustomizations that include each
// other twice read exponentially many.
const maxReads = 5000

// ErrUntrusted is the error of manifests that reach beyond the project's folder.
var ErrUntrusted = errors.New("pass --trust-project if you trust this project")

// NewDisk returns the Disk of a project's folder.
func NewDisk(folder string, trusted bool) (*Disk, error) {
	d := &Disk{FileSystem: filesys.MakeFsOnDisk()}
	if trusted {
		return d, nil
	}
	var err error
	d.root, err = filepath.EvalSymlinks(folder)
	return d, err
}

// Within returns an error if a path, after all symbolic links, is not in the project's folder. A
// path that does not exist is within it: nothing can be read there.
func (d *Disk) Within(path string) error {
	resolved, err := filepath.EvalSymlinks(path)
	if d.root == "" || err != nil {
		return nil //nolint:nilerr // The read of a missing path returns the error.
	}
	if relative, err := filepath.Rel(d.root, resolved); err != nil || !filepath.IsLocal(relative) {
		return fmt.Errorf("%s is outside the project's folder %s; %w", path, d.root, ErrUntrusted)
	}
	return nil
}

// Render renders a folder with a kustomization; see [config.Render].
func (d *Disk) Render(folder string) ([]*unstructured.Unstructured, error) {
	var refused error
	objects, err := config.Render(&Disk{FileSystem: d.FileSystem, root: d.root, refused: &refused, reads: new(int)}, folder)
	if refused != nil {
		return nil, refused
	}
	return objects, err
}

// ReadFile implements [filesys.FileSystem].
func (d *Disk) ReadFile(path string) ([]byte, error) {
	data, err := d.readFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && d.refused != nil && *d.refused == nil {
		*d.refused = err
	}
	return data, err
}

func (d *Disk) readFile(path string) ([]byte, error) {
	if d.reads != nil { // A rendering reads one file after the other.
		if *d.reads++; *d.reads > maxReads {
			return nil, fmt.Errorf("%w: the kustomization reads more than %d files", ErrTooLarge, maxReads)
		}
	}
	if err := d.Within(path); err != nil {
		return nil, err
	}
	data, err := ReadFile(path, MaxManifest)
	if err != nil {
		return nil, err
	}
	err = CheckYAML(data)
	if err == nil && d.root != "" && slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path)) {
		err = checkLocal(data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// ReadDir implements [filesys.FileSystem].
func (d *Disk) ReadDir(path string) ([]string, error) {
	if err := d.Within(path); err != nil {
		return nil, err
	}
	return d.FileSystem.ReadDir(path)
}

var (
	// remoteFile matches references to files that kustomize downloads, also as KEY=URL.
	remoteFile = regexp.MustCompile(`(?i)^([^\n=]*=)?\s*https?:`)
	// remoteFolder matches, and exceeds, the references to folders that kustomize passes to git.
	remoteFolder = regexp.MustCompile(`(?i)^\s*(git::|gh:|github\.com[/:]|[a-z][a-z0-9-]*@)|://`)
	// folders are the fields that list files, or folders with a kustomization.
	folders = []string{"resources", "bases", "components", "crds", "configurations"}
	// plugins are the fields whose files can have references of their own.
	plugins = []string{"generators", "transformers", "validators"}
	// texts are the fields without references.
	texts = []string{"commonannotations", "commonlabels", "labels", "literals", "patch", "images", "metadata", "vars"}
)

// checkLocal returns an error if a kustomization refers to remote files or folders.
func checkLocal(data []byte) error {
	var document any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return err
	}
	return eachReference(document, "", func(field, value string) error {
		switch {
		case slices.Contains(plugins, field):
			return fmt.Errorf("the kustomization has %s; %w", field, ErrUntrusted)
		case remoteFile.MatchString(value), slices.Contains(folders, field) && remoteFolder.MatchString(value):
			return fmt.Errorf("the kustomization refers to %q, which is not in the project; %w", strings.TrimSpace(value), ErrUntrusted)
		}
		return nil
	})
}

// eachReference visits the texts in a value, each with the lower-case name of its field: kustomize
// ignores the case.
func eachReference(value any, field string, visit func(field, value string) error) error {
	switch value := value.(type) {
	case string:
		return visit(field, value)
	case []any:
		for _, item := range value {
			if err := eachReference(item, field, visit); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, item := range value {
			if key = strings.ToLower(key); slices.Contains(texts, key) {
				continue
			}
			if err := eachReference(item, key, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

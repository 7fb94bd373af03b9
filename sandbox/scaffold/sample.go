package scaffold

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// sampleFolders are the folders of samples, the usual ones first. A sample with a spec in a later
// folder is better than a sample without one.
var sampleFolders = []string{"config/samples", "config/testdata", "config/examples", "samples", "examples", "example", "docs/examples"}

// maxSamples limits the number of files that findSample reads.
const maxSamples = 1000

// sample is a file with an object that the sandbox can show.
type sample struct {
	path    string
	folder  int // the index in sampleFolders
	size    int
	objects []*unstructured.Unstructured
	kind    *kind // of the first custom resource
	// rejected is true if the API server would reject an object: the sample is out of date.
	rejected bool
	rank     [11]int
}

// findSample chooses the sample whose controller sets a condition and that has a spec. It adds the
// files of the objects to which the sample refers.
func (r *reader) findSample() error {
	var all, usable []*sample
	for i, folder := range sampleFolders {
		all = append(all, r.readSamples(folder, i)...)
	}
	for _, s := range all {
		if r.usable(s) {
			usable = append(usable, s)
		}
	}
	if len(usable) == 0 {
		return errors.New("no sample in config/samples, config/testdata or examples of a kind that the manifests define; add an object that shows the work of the operator")
	}
	for _, s := range usable {
		r.rate(s, all)
	}
	chosen := slices.MinFunc(usable, func(a, b *sample) int {
		return cmp.Or(slices.Compare(a.rank[:], b.rank[:]), cmp.Compare(a.path, b.path))
	})
	r.File.Sample.Manifests = []string{chosen.path}
	r.note("sample.manifests", chosen.path, "%s", chosen.why())
	more, _ := required(chosen, all)
	for _, s := range more {
		r.File.Sample.Manifests = append(r.File.Sample.Manifests, s.path)
		r.note("sample.manifests", s.path, "%s refers to it", chosen.path)
	}
	r.File.Sample.Condition = chosen.kind.condition
	r.note("sample.condition", chosen.kind.condition, "%s", chosen.kind.why)
	return nil
}

// readSamples reads the manifests below a folder, which can be a symbolic link. It ignores other
// files.
func (r *reader) readSamples(folder string, order int) (all []*sample) {
	root, err := filepath.EvalSymlinks(filepath.Join(r.folder, folder))
	if err != nil {
		return nil
	}
	_ = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || len(all) >= maxSamples {
			return fs.SkipAll
		}
		if !entry.Type().IsRegular() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			return nil
		}
		data, err := input.ReadFile(name, input.MaxConfig)
		if err != nil || input.CheckYAML(data) != nil {
			return nil //nolint:nilerr // Not a sample.
		}
		objects, err := config.Decode(string(data))
		relative, wrong := filepath.Rel(r.folder, name)
		if err == nil && wrong == nil && filepath.IsLocal(relative) && len(objects) > 0 {
			all = append(all, &sample{path: filepath.ToSlash(relative), objects: objects, folder: order, size: len(data)})
		}
		return nil
	})
	return all
}

// usable reports whether the sandbox can apply a sample: the manifests define its kinds in their
// versions. It finds the kind of the first custom resource.
func (r *reader) usable(s *sample) bool {
	for _, obj := range s.objects {
		gvk := obj.GroupVersionKind()
		if !kinds.Custom(gvk.Group) {
			continue
		}
		k := r.kind(gvk)
		if k == nil {
			return false
		}
		if s.kind == nil {
			s.kind = k
		}
		s.rejected = s.rejected || k.rejects(obj)
		// All custom resources of a sample must reach one condition.
		if k.score < s.kind.score || k.condition != s.kind.condition {
			s.rank[4]++
		}
	}
	return s.kind != nil
}

// rate completes the rank of a sample, of which the lowest is the best.
func (r *reader) rate(s *sample, all []*sample) {
	first := s.first()
	more, missing := required(s, all)
	number := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	s.rank = [11]int{
		number(s.rejected), -s.kind.score, number(len(spec(first)) == 0), s.folder, s.rank[4] + missing, s.kind.order, len(more), number(!s.kind.stored),
		number(!namedAfter(s.path, first.GetKind())), strings.Count(s.path, "/"), s.size,
	}
}

// separators are the characters between the words of a file's name.
var separators = strings.NewReplacer("-", "", "_", "", ".", "")

// namedAfter reports whether a file's name ends with a kind, or with a kind and "sample" or "cr".
func namedAfter(name, kind string) bool {
	name = strings.ToLower(separators.Replace(strings.TrimSuffix(path.Base(name), path.Ext(name))))
	return slices.ContainsFunc([]string{"", "sample", "cr"}, func(ending string) bool { return strings.HasSuffix(name, strings.ToLower(kind)+ending) })
}

func (s *sample) first() *unstructured.Unstructured {
	return s.objects[slices.IndexFunc(s.objects, func(obj *unstructured.Unstructured) bool { return kinds.Custom(obj.GroupVersionKind().Group) })]
}

func (s *sample) why() string {
	why := "a sample of " + s.kind.name
	switch {
	case s.rejected:
		why += "; the definition does not declare all of its fields, so correct it"
	case s.rank[2] > 0:
		why += " without a spec"
	case s.rank[4] > 0:
		why += "; it refers to objects that are in no sample"
	}
	return why
}

// spec returns the fields of an object beside its metadata. A foo in the spec is kubebuilder's
// placeholder.
func spec(obj *unstructured.Unstructured) map[string]any {
	fields, found, _ := unstructured.NestedMap(obj.Object, "spec")
	if !found && obj.Object["spec"] == nil {
		fields = map[string]any{}
		for name, value := range obj.Object {
			if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec", "status"}, name) {
				fields[name] = value
			}
		}
	}
	if fields["foo"] == "bar" {
		delete(fields, "foo")
	}
	return fields
}

// required returns the samples with the objects to which a sample refers, directly and indirectly,
// and the number of objects that are in no sample.
func required(s *sample, all []*sample) (more []*sample, missing int) {
	queue := []*sample{s}
	for i := 0; i < len(queue); i++ {
		for _, obj := range queue[i].objects {
			for _, ref := range references(spec(obj)) {
				at := slices.IndexFunc(slices.Concat(queue, all), func(other *sample) bool { return other.has(ref) })
				switch {
				case at < 0 && ref.field == "":
					missing++
				case at < 0:
				case at >= len(queue):
					queue = append(queue, all[at-len(queue)])
				}
			}
		}
	}
	return queue[1:], missing
}

func (s *sample) has(ref reference) bool {
	return slices.ContainsFunc(s.objects, func(obj *unstructured.Unstructured) bool {
		custom := kinds.Custom(obj.GroupVersionKind().Group) && strings.HasSuffix(strings.ToLower(obj.GetKind()), strings.ToLower(ref.field))
		return obj.GetName() == ref.name && (ref.kind == "" || obj.GetKind() == ref.kind) && (ref.field == "" || custom)
	})
}

// reference is the name of an object, and its kind if it is known. If field is not empty, the text
// of a field with this name is a reference only if the object's kind ends with the name.
type reference struct{ kind, name, field string }

// references returns the objects to which the fields of a spec refer by their usual names:
// secretRef: {name: x}, secret: {name: x}, providerRef: {kind: y, name: x}, secretName: x. It also
// returns the other texts, which can be names: executor: x.
func references(value any) (all []reference) {
	list, _ := value.([]any)
	for _, item := range list {
		all = append(all, references(item)...)
	}
	fields, _ := value.(map[string]any)
	for name, field := range fields {
		known := reference{}
		for _, kind := range []string{"Secret", "ConfigMap"} {
			if strings.Contains(strings.ToLower(name), strings.ToLower(kind)) {
				known.kind = kind
			}
		}
		inner, _ := field.(map[string]any)
		switch text, _ := field.(string); {
		case known.kind != "" && strings.HasSuffix(name, "Name") && text != "":
			known.name = text
		case text != "":
			known.name, known.field = text, name
		case strings.HasSuffix(name, "Ref") || strings.HasSuffix(name, "Reference") || known.kind != "" && (strings.HasSuffix(name, "Selector") || strings.EqualFold(name, known.kind)):
			known.name, _ = inner["name"].(string)
			known.kind, _ = cmp.Or[any](inner["kind"], known.kind).(string)
		}
		if optional, _ := inner["optional"].(bool); known.name != "" && !optional {
			all = append(all, known)
			continue
		}
		all = append(all, references(field)...)
	}
	slices.SortFunc(all, func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.field, b.field))
	})
	return slices.Compact(all)
}

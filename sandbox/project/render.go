package project

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// Manifests are the objects of a project.
type Manifests struct {
	// Objects install the operator. The caller can modify Objects and Samples.
	Objects []*unstructured.Unstructured
	// Samples are applied when the operator is ready. The trace of the first one is shown.
	Samples []*unstructured.Unstructured
	// Update changes the sample; see [Faults].
	Update []*unstructured.Unstructured
	// Skipped are objects of the manifests that are not applied; see [Operator.Skip].
	Skipped []*unstructured.Unstructured
	// Deployment is the manager's Deployment, converted from Objects, and Container the index of
	// the manager's container. If its Kind is StatefulSet, it is converted from a StatefulSet.
	Deployment *appsv1.Deployment
	Container  int
	// ServiceName is the service.name of the operator's spans.
	ServiceName string

	project *Project
}

// DefaultNamespace is the namespace of objects that specify none, as with kubectl.
const DefaultNamespace = "default"

// Render reads the manifests, which takes some tenths of a second. Errors name the file and the
// field that caused them.
func (p *Project) Render() (*Manifests, error) {
	m := &Manifests{project: p}
	var err error
	if m.Objects, err = p.read(p.File.Operator.Manifests); err != nil {
		return nil, p.wrong("operator.manifests", err)
	}
	if m.Samples, err = p.read(p.File.Sample.Manifests); err != nil {
		return nil, p.wrong("sample.manifests", err)
	}
	if m.Update, err = p.read(p.File.Faults.Update); err != nil {
		return nil, p.wrong("faults.update", err)
	}
	defined := kinds.Definitions(m.Objects)
	if err := errors.Join(m.skip(), m.checkKinds(defined)); err != nil {
		return nil, err
	}
	if len(m.Samples) == 0 {
		return nil, p.wrong("sample.manifests", fmt.Errorf("no objects in the manifests"))
	}
	if len(m.Update) == 0 && len(p.File.Faults.Update) > 0 {
		return nil, p.wrong("faults.update", fmt.Errorf("no objects in the manifests"))
	}
	kinds.SetNames(m.Objects)
	kinds.SetNames(m.Samples)
	kinds.SetNames(m.Update)
	kinds.SetNamespaces(m.Objects, cmp.Or(p.File.Operator.Namespace, DefaultNamespace), defined)
	kinds.SetNamespaces(m.Samples, DefaultNamespace, defined)
	// Also the samples' own: they stay when the sandbox deletes a sample.
	m.Objects = append(m.Objects, kinds.Namespaces(slices.Concat(m.Objects, m.Samples))...)
	// The trace of a custom resource is shown, even if other objects precede it.
	slices.SortStableFunc(m.Samples, func(a, b *unstructured.Unstructured) int {
		return rank(a) - rank(b)
	})
	if err := m.findManager(); err != nil {
		return nil, err
	}
	m.ServiceName = cmp.Or(p.File.Operator.ServiceName, m.Deployment.Name)
	return m, nil
}

// ReadManifests reads manifests of a project without a sandbox.yaml. The paths are relative to its
// folder; see [Operator.Manifests].
func ReadManifests(folder string, paths []string) ([]*unstructured.Unstructured, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	disk, err := input.NewDisk(root, false)
	if err != nil {
		return nil, err
	}
	return (&Project{disk: disk, root: root}).read(paths)
}

// wrong returns an Error about the value of a field.
func (p *Project) wrong(field string, err error) error {
	e := &Error{Path: cmp.Or(p.Path, builtIn), Field: field, Problem: strings.Join(strings.Fields(err.Error()), " ")}
	if field != "" {
		at := p.places.of(field)
		e.Line, e.Column = at.Line, at.Column
	}
	return e
}

// read reads manifests. It renders folders with a kustomization, and reads every file of other
// folders.
func (p *Project) read(paths []string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, name := range paths {
		objects, err := p.readPath(p.path(name))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

func (p *Project) readPath(path string) (all []*unstructured.Unstructured, err error) {
	files := []string{path}
	if p.disk.IsDir(path) {
		if slices.ContainsFunc(konfig.RecognizedKustomizationFileNames(), func(name string) bool {
			return p.disk.Exists(filepath.Join(path, name))
		}) {
			if disk, ok := p.disk.(*input.Disk); ok {
				return disk.Render(path)
			}
			return config.Render(p.disk, path)
		}
		if files, err = p.disk.ReadDir(path); err != nil {
			return nil, err
		}
		files = slices.DeleteFunc(files, func(name string) bool {
			return !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
		})
		slices.Sort(files)
		for i, name := range files {
			files[i] = filepath.Join(path, name)
		}
	}
	for _, file := range files {
		data, err := p.disk.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := config.Decode(string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// skip removes the objects of kinds that sandbox.yaml skips, and of kinds that most clusters lack.
func (m *Manifests) skip() error {
	var skip []schema.GroupKind
	var wrong []error
	all := slices.Concat(m.Objects, m.Samples, m.Update)
	for i, name := range m.project.File.Operator.Skip {
		kind := schema.ParseGroupKind(name)
		skip = append(skip, kind)
		if !slices.ContainsFunc(all, func(obj *unstructured.Unstructured) bool { return obj.GroupVersionKind().GroupKind() == kind }) {
			wrong = append(wrong, m.project.wrong(item("operator.skip", i), fmt.Errorf("no object of kind %q in the manifests; want KIND.GROUP, for example ServiceMonitor.monitoring.coreos.com", name)))
		}
	}
	defined := kinds.Definitions(m.Objects)
	var more []*unstructured.Unstructured
	m.Objects, m.Skipped = kinds.Split(m.Objects, skip, defined)
	m.Samples, more = kinds.Split(m.Samples, skip, defined)
	m.Skipped = append(m.Skipped, more...)
	m.Update, _ = kinds.Split(m.Update, skip, defined)
	return errors.Join(wrong...)
}

// checkKinds returns an error for each object of an undefined kind. Otherwise the sandbox would wait
// for its definition without success.
func (m *Manifests) checkKinds(defined map[schema.GroupKind]string) error {
	var wrong []error
	check := func(field, remedy string, objects []*unstructured.Unstructured) {
		for _, obj := range objects {
			gvk := obj.GroupVersionKind()
			_, found := defined[gvk.GroupKind()]
			if !kinds.Custom(gvk.Group) || found || slices.ContainsFunc(component.All(), func(c component.Component) bool { return c.Owns(gvk.Group) }) {
				continue
			}
			wrong = append(wrong, m.project.wrong(field, fmt.Errorf("no CustomResourceDefinition for %s %s (%s); remove it, add the manifest of its definition to operator.manifests, or %s",
				gvk.Kind, obj.GetName(), gvk.GroupVersion(), remedy)))
		}
	}
	check("operator.manifests", "list its kind in operator.skip", m.Objects)
	if m.project.File.Sample.DefinedBy == "" {
		const remedy = "set sample.definedBy to operator if the operator defines the kind when it starts"
		check("sample.manifests", remedy, m.Samples)
		check("faults.update", remedy, m.Update)
	}
	return errors.Join(wrong...)
}

// rank sorts custom resources before Kubernetes' own kinds.
func rank(obj *unstructured.Unstructured) int {
	if kinds.Custom(obj.GroupVersionKind().Group) {
		return 0
	}
	return 1
}

func (m *Manifests) findManager() error {
	o := m.project.File.Operator
	var found []*unstructured.Unstructured
	var names []string
	// A Deployment precedes a StatefulSet, which is often a database.
	for _, obj := range slices.Concat(ofKind(m.Objects, "Deployment"), ofKind(m.Objects, "StatefulSet")) {
		if len(found) > 0 && obj.GetKind() != found[0].GetKind() {
			break
		}
		names = append(names, obj.GetNamespace()+"/"+obj.GetName())
		if (o.Deployment == "" || obj.GetName() == o.Deployment) && (o.Namespace == "" || obj.GetNamespace() == o.Namespace) {
			found = append(found, obj)
		}
	}
	switch {
	case len(names) == 0:
		return m.project.wrong("operator.manifests", fmt.Errorf("no Deployment or StatefulSet of the manager in the manifests"))
	case len(found) == 0 && o.Deployment == "":
		return m.project.wrong("operator.namespace", fmt.Errorf("no Deployment in this namespace; found %s", strings.Join(names, ", ")))
	case len(found) == 0:
		return m.project.wrong("operator.deployment", fmt.Errorf("no Deployment with this name; found %s", strings.Join(names, ", ")))
	case len(found) > 1:
		return m.project.wrong("operator.deployment", fmt.Errorf("several Deployments: %s; set the name of the manager's", strings.Join(names, ", ")))
	}
	m.Deployment = &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found[0].Object, m.Deployment); err != nil {
		return m.project.wrong("operator.manifests", fmt.Errorf("reading %s %s: %w", found[0].GetKind(), found[0].GetName(), err))
	}
	return m.findContainer()
}

func ofKind(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return obj.GroupVersionKind().GroupKind() != schema.GroupKind{Group: appsv1.GroupName, Kind: kind}
	})
}

// defaultContainer is the annotation with which kubectl chooses a container.
const defaultContainer = "kubectl.kubernetes.io/default-container"

func (m *Manifests) findContainer() error {
	containers := m.Deployment.Spec.Template.Spec.Containers
	name := cmp.Or(m.project.File.Operator.Container, m.Deployment.Spec.Template.Annotations[defaultContainer], "manager")
	m.Container = slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name })
	if m.Container < 0 && len(containers) == 1 && m.project.File.Operator.Container == "" {
		m.Container = 0
	}
	if m.Container < 0 {
		var names []string
		for _, c := range containers {
			names = append(names, c.Name)
		}
		return m.project.wrong("operator.container", fmt.Errorf("no container %s in Deployment %s; found %s", name, m.Deployment.Name, strings.Join(names, ", ")))
	}
	return nil
}

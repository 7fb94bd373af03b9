package project

import (
	"cmp"
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
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/input"
)

// Manifests are the objects of a project.
type Manifests struct {
	// Objects install the operator. The caller can modify Objects and Samples.
	Objects []*unstructured.Unstructured
	// Samples are applied when the operator is ready. The trace of the first one is shown.
	Samples []*unstructured.Unstructured
	// Deployment is the manager's Deployment, converted from Objects, and Container the index of
	// the manager's container.
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
	if len(m.Samples) == 0 {
		return nil, p.wrong("sample.manifests", fmt.Errorf("no objects in the manifests"))
	}
	if err := m.checkKinds(); err != nil {
		return nil, err
	}
	scope := scopes(m.Objects)
	setNamespaces(m.Objects, cmp.Or(p.File.Operator.Namespace, DefaultNamespace), scope)
	setNamespaces(m.Samples, DefaultNamespace, scope)
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

// checkKinds returns an error if an object has an undefined kind. Otherwise the sandbox would wait
// for its definition without success.
func (m *Manifests) checkKinds() error {
	defined := definitions(m.Objects)
	for field, objects := range map[string][]*unstructured.Unstructured{"operator.manifests": m.Objects, "sample.manifests": m.Samples} {
		for _, obj := range objects {
			gvk := obj.GroupVersionKind()
			_, found := defined[gvk.GroupKind()]
			if !Custom(obj) || found || slices.ContainsFunc(component.All(), func(c component.Component) bool { return c.Owns(gvk.Group) }) {
				continue
			}
			return m.project.wrong(field, fmt.Errorf("no CustomResourceDefinition for %s %s (%s); remove it, or add the manifest of its definition to operator.manifests",
				gvk.Kind, obj.GetName(), gvk.GroupVersion()))
		}
	}
	return nil
}

// definitions returns the scopes of the kinds that CustomResourceDefinitions define.
func definitions(objects []*unstructured.Unstructured) map[schema.GroupKind]string {
	defined := map[schema.GroupKind]string{}
	for _, obj := range objects {
		if obj.GetKind() == "CustomResourceDefinition" {
			group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
			defined[schema.GroupKind{Group: group, Kind: kind}], _, _ = unstructured.NestedString(obj.Object, "spec", "scope")
		}
	}
	return defined
}

// scopes returns a function that reports whether the kind of an object is namespaced. It uses the
// definitions in the manifests, then the scopes of Kubernetes' own kinds. Unknown kinds are treated
// as namespaced, because most are.
func scopes(objects []*unstructured.Unstructured) func(*unstructured.Unstructured) bool {
	defined := definitions(objects)
	return func(obj *unstructured.Unstructured) bool {
		gvk := obj.GroupVersionKind()
		if scope, found := defined[gvk.GroupKind()]; found {
			return scope != "Cluster"
		}
		namespaced, known := openapi.IsNamespaceScoped(yaml.TypeMeta{APIVersion: obj.GetAPIVersion(), Kind: gvk.Kind})
		return namespaced || !known && gvk.Kind != "ClusterIssuer"
	}
}

func setNamespaces(objects []*unstructured.Unstructured, namespace string, namespaced func(*unstructured.Unstructured) bool) {
	for _, obj := range objects {
		if obj.GetNamespace() == "" && namespaced(obj) {
			obj.SetNamespace(namespace)
		}
	}
}

// rank sorts custom resources before Kubernetes' own kinds.
func rank(obj *unstructured.Unstructured) int {
	if Custom(obj) {
		return 0
	}
	return 1
}

// Custom reports whether the kind of an object is a custom resource.
func Custom(obj *unstructured.Unstructured) bool {
	group := obj.GroupVersionKind().Group
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}

// findManager finds the manager's Deployment and container.
func (m *Manifests) findManager() error {
	o := m.project.File.Operator
	var found []*unstructured.Unstructured
	var names []string
	for _, obj := range m.Objects {
		if obj.GetKind() != "Deployment" || obj.GroupVersionKind().Group != appsv1.GroupName {
			continue
		}
		names = append(names, obj.GetNamespace()+"/"+obj.GetName())
		if (o.Deployment == "" || obj.GetName() == o.Deployment) && (o.Namespace == "" || obj.GetNamespace() == o.Namespace) {
			found = append(found, obj)
		}
	}
	switch {
	case len(names) == 0:
		return m.project.wrong("operator.manifests", fmt.Errorf("no Deployment of the manager in the manifests"))
	case len(found) == 0 && o.Deployment == "":
		return m.project.wrong("operator.namespace", fmt.Errorf("no Deployment in this namespace; found %s", strings.Join(names, ", ")))
	case len(found) == 0:
		return m.project.wrong("operator.deployment", fmt.Errorf("no Deployment with this name; found %s", strings.Join(names, ", ")))
	case len(found) > 1:
		return m.project.wrong("operator.deployment", fmt.Errorf("several Deployments: %s; set the name of the manager's", strings.Join(names, ", ")))
	}
	m.Deployment = &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found[0].Object, m.Deployment); err != nil {
		return m.project.wrong("operator.manifests", fmt.Errorf("reading Deployment %s: %w", found[0].GetName(), err))
	}
	return m.findContainer()
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

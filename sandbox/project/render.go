package project

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/operator-tracing/sandbox/config"
)

// Manifests are the objects of a project.
type Manifests struct {
	// Objects install the operator. Objects and Samples are the caller's to change.
	Objects []*unstructured.Unstructured
	// Samples are applied when it is ready. The first is the one whose trace is shown.
	Samples []*unstructured.Unstructured
	// Deployment is the manager's, as one of Objects says it, and Container the index of its container.
	Deployment *appsv1.Deployment
	Container  int
	// ServiceName is what its spans have as service.name.
	ServiceName string

	project *Project
}

// DefaultNamespace is where objects go that name no namespace, as with kubectl.
const DefaultNamespace = "default"

// Render reads the manifests, which takes some tenths of a second. The errors name the file and the field that led to the
// mistake.
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
		return nil, p.wrong("sample.manifests", fmt.Errorf("there is no object in them"))
	}
	if err := m.checkKinds(); err != nil {
		return nil, err
	}
	scope := scopes(m.Objects)
	operatorNamespace := DefaultNamespace
	if p.File.Operator.Namespace != "" {
		operatorNamespace = p.File.Operator.Namespace
	}
	setNamespaces(m.Objects, operatorNamespace, scope)
	setNamespaces(m.Samples, DefaultNamespace, scope)
	// A custom resource shows what the operator does, whatever it needs beside it.
	slices.SortStableFunc(m.Samples, func(a, b *unstructured.Unstructured) int {
		return rank(a) - rank(b)
	})
	if err := m.findManager(); err != nil {
		return nil, err
	}
	m.ServiceName = p.File.Operator.ServiceName
	if m.ServiceName == "" {
		m.ServiceName = m.Deployment.Name
	}
	return m, nil
}

// wrong is an error about what a field led to.
func (p *Project) wrong(field string, err error) error {
	name := p.Path
	if name == "" {
		name = "the built-in " + defaultName
	}
	e := &Error{Path: name, Field: field, Problem: strings.Join(strings.Fields(err.Error()), " ")}
	if field != "" {
		at := p.places.of(field)
		e.Line, e.Column = at.Line, at.Column
	}
	return e
}

// read reads manifests: a folder with a kustomization is rendered, of others every file is read.
func (p *Project) read(paths []string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, name := range paths {
		path := p.path(name)
		var objects []*unstructured.Unstructured
		var err error
		switch {
		case !p.disk.IsDir(path):
			objects, err = p.readFile(path)
		case p.hasKustomization(path):
			objects, err = config.Render(p.disk, path)
		default:
			objects, err = p.readFolder(path)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

func (p *Project) hasKustomization(folder string) bool {
	return slices.ContainsFunc(konfig.RecognizedKustomizationFileNames(), func(name string) bool {
		return p.disk.Exists(filepath.Join(folder, name))
	})
}

func (p *Project) readFolder(folder string) ([]*unstructured.Unstructured, error) {
	names, err := p.disk.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []*unstructured.Unstructured
	for _, name := range names {
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" && ext != ".json" {
			continue
		}
		objects, err := p.readFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

func (p *Project) readFile(path string) ([]*unstructured.Unstructured, error) {
	data, err := p.disk.ReadFile(path)
	if err != nil {
		return nil, err
	}
	objects, err := config.Decode(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return objects, nil
}

// checkKinds finds objects of kinds that nobody defines: they would be waited for in vain.
func (m *Manifests) checkKinds() error {
	defined := map[string]bool{}
	for _, obj := range m.Objects {
		if obj.GetKind() == "CustomResourceDefinition" {
			group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
			defined[kind+"."+group] = true
		}
	}
	for field, objects := range map[string][]*unstructured.Unstructured{"operator.manifests": m.Objects, "sample.manifests": m.Samples} {
		for _, obj := range objects {
			gvk := obj.GroupVersionKind()
			if !Custom(obj) || defined[gvk.Kind+"."+gvk.Group] || gvk.Group == certManager || strings.HasSuffix(gvk.Group, "."+certManager) {
				continue
			}
			return m.project.wrong(field, fmt.Errorf("nobody defines the kind of %s %s (%s): leave it out, or name the manifest of its CustomResourceDefinition in operator.manifests",
				gvk.Kind, obj.GetName(), gvk.GroupVersion()))
		}
	}
	return nil
}

// certManager is the group of the kinds that the sandbox itself installs.
const certManager = "cert-manager.io"

// scopes tells whether objects of a kind belong to a namespace: by the definitions among the manifests, else as Kubernetes
// defines its own kinds. Who defines a kind otherwise is not known; most kinds have a namespace.
func scopes(objects []*unstructured.Unstructured) func(*unstructured.Unstructured) bool {
	cluster := map[string]bool{} // by group and kind
	for _, obj := range objects {
		if obj.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(obj.Object, "spec", "scope")
		cluster[group+"/"+kind] = scope == "Cluster"
	}
	return func(obj *unstructured.Unstructured) bool {
		gvk := obj.GroupVersionKind()
		if is, defined := cluster[gvk.Group+"/"+gvk.Kind]; defined {
			return !is
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

// rank puts custom resources before what Kubernetes defines itself.
func rank(obj *unstructured.Unstructured) int {
	if Custom(obj) {
		return 0
	}
	return 1
}

// Custom tells whether an object's kind is none of Kubernetes' own.
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
		return m.project.wrong("operator.manifests", fmt.Errorf("there is no Deployment in them: it says how the manager runs"))
	case len(found) == 0 && o.Deployment == "":
		return m.project.wrong("operator.namespace", fmt.Errorf("there is no Deployment in it; there are %s", strings.Join(names, ", ")))
	case len(found) == 0:
		return m.project.wrong("operator.deployment", fmt.Errorf("no Deployment is called that; there are %s", strings.Join(names, ", ")))
	case len(found) > 1:
		return m.project.wrong("operator.deployment", fmt.Errorf("name the manager's: there are %s", strings.Join(names, ", ")))
	}
	m.Deployment = &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found[0].Object, m.Deployment); err != nil {
		return m.project.wrong("operator.manifests", fmt.Errorf("reading Deployment %s: %w", found[0].GetName(), err))
	}
	return m.findContainer()
}

// defaultContainer is the annotation by which kubectl chooses a container.
const defaultContainer = "kubectl.kubernetes.io/default-container"

func (m *Manifests) findContainer() error {
	containers := m.Deployment.Spec.Template.Spec.Containers
	name := m.project.File.Operator.Container
	if name == "" {
		name = m.Deployment.Spec.Template.Annotations[defaultContainer]
	}
	if name == "" {
		name = "manager"
	}
	m.Container = slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name })
	if m.Container < 0 && len(containers) == 1 && m.project.File.Operator.Container == "" {
		m.Container = 0
	}
	if m.Container < 0 {
		var names []string
		for _, c := range containers {
			names = append(names, c.Name)
		}
		return m.project.wrong("operator.container", fmt.Errorf("there is no container %s in Deployment %s; it has %s", name, m.Deployment.Name, strings.Join(names, ", ")))
	}
	return nil
}

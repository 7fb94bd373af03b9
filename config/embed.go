// Package config holds the manifests of the operator and renders them.
//
// The folder is a plain kustomize tree that users can apply with kubectl or
// kustomize. The sandbox and the tests call Build, so they get the same
// objects. Files is the raw tree, for callers that need a single file, such as
// the sample.
//
// The package never calls a cluster and never reads from the disk: it renders
// the files that were compiled into the program.
package config

import (
	"embed"
	"fmt"
	"io/fs"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// OperatorImage is the image in the manifests, which Build replaces.
const OperatorImage = "ghcr.io/operator-tracing/operator"

// SampleHead is the path within Files of the Head that the README applies.
const SampleHead = "samples/dummy_v1alpha1_head.yaml"

// JaegerConfig is the path within Files of Jaeger's configuration. Jaeger reads its addresses from
// JAEGER_HOST (default all addresses) and JAEGER_{UI,QUERY,OTLP_GRPC,OTLP_HTTP,THRIFT,HEALTH}_PORT
// (default Jaeger's usual ports). JAEGER_UI_ASSETS may name a folder with an index.html that Jaeger
// serves instead of its own page, and JAEGER_MEMORY_MIB limits its memory (default 400).
const JaegerConfig = "jaeger/config.yaml"

// Files is the tree, rooted where this file is: "default/kustomization.yaml" and
// so on. It is read-only and safe for concurrent use.
//
//go:embed certmanager crd default jaeger jaeger-shared manager node rbac samples webhook sandbox.yaml
var Files embed.FS

// Build renders an overlay ("crd", "default", "samples" or any other folder
// with a kustomization) like kustomize, with definitions and namespaces first.
// A non-empty image, with tag or digest, replaces the operator's image. The
// caller may change the objects. Errors name the overlay. Build is safe for
// concurrent use. A call takes several tenths of a second.
func Build(overlay, image string) ([]*unstructured.Unstructured, error) {
	objects, err := build(overlay, image)
	if err != nil {
		return nil, fmt.Errorf("rendering overlay %q: %w", overlay, err)
	}
	return objects, nil
}

func build(overlay, image string) ([]*unstructured.Unstructured, error) {
	const root = "/config"
	disk, err := FileSystem(root)
	if err != nil {
		return nil, err
	}
	// A kustomization on top of the overlay replaces the image without a change of the overlay.
	top := path.Join(root, "build")
	kustomization, err := yaml.Marshal(types.Kustomization{
		TypeMeta:    types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources:   []string{"../" + overlay},
		Images:      images(image),
		SortOptions: &types.SortOptions{Order: types.LegacySortOrder},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the top kustomization: %w", err)
	}
	if err := disk.WriteFile(path.Join(top, "kustomization.yaml"), kustomization); err != nil {
		return nil, fmt.Errorf("writing the top kustomization: %w", err)
	}

	return Render(disk, top)
}

// Render renders a folder with a kustomization like kustomize. The caller may change the objects.
// Render is safe for concurrent use.
func Render(disk filesys.FileSystem, folder string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified // The kustomization has sortOptions; setting both causes a warning.
	rendered, err := krusty.MakeKustomizer(options).Run(disk, folder)
	if err != nil {
		return nil, err
	}
	objects := make([]*unstructured.Unstructured, 0, rendered.Size())
	for _, r := range rendered.Resources() {
		// Use JSON: kustomize's map contains Go ints, which unstructured objects must not contain.
		content, err := r.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("decoding %s: %w", r.CurId(), err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(content); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", r.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// FileSystem copies Files to a file system that kustomize can read, into the folder root.
func FileSystem(root string) (filesys.FileSystem, error) {
	disk := filesys.MakeFsInMemory()
	err := fs.WalkDir(Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := Files.ReadFile(name)
		if err != nil {
			return err
		}
		return disk.WriteFile(path.Join(root, name), text)
	})
	if err != nil {
		return nil, fmt.Errorf("copying the manifests: %w", err)
	}
	return disk, nil
}

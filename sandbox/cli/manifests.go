package cli

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/config"
)

func newManifests() *cobra.Command {
	var overlay, image string
	cmd := &cobra.Command{
		Use:   "manifests",
		Short: "Print the operator's manifests",
		Long:  `manifests renders an overlay of config/, as kustomize would, with the operator's image replaced. It needs no cluster.`,
		Args:  exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if names := overlays(); !slices.Contains(names, overlay) {
				return usageError{fmt.Errorf("--overlay=%s: use %s", overlay, oneOf(names))}
			}
			objects, err := config.Build(overlay, image)
			if err != nil {
				return err
			}
			for _, object := range objects {
				text, err := yaml.Marshal(object.Object)
				if err != nil {
					return fmt.Errorf("printing %s %s: %w", object.GetKind(), object.GetName(), err)
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "---\n%s", text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&overlay, "overlay", "default", "folder below config/")
	cmd.Flags().StringVar(&image, "image", "", "the operator's image (default: the manifests' own)")
	return cmd
}

// overlays are the folders that can be rendered.
func overlays() []string {
	found, err := fs.Glob(config.Files, "*/kustomization.yaml")
	if err != nil {
		panic(err) // Only for a bad pattern.
	}
	for i, file := range found {
		found[i] = path.Dir(file)
	}
	return found
}

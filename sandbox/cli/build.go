package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newBuild(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build every component from source into the cache",
		Long: `build does the same as a first up without a registry, but needs no cluster: it compiles Kubernetes, containerd, CoreDNS,
` + component.List(component.IsVersioned) + `, kwok and the operator, creates the node's root filesystem, and assembles the images.

With --cluster=kind or --cluster=embedded it builds only the parts of that kind of cluster.`,
		Example: "  go run ./sandbox build\n  go run ./sandbox build --cluster=embedded",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return shared.WithProgress(cmd.Context(), stderr, func(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress) error {
				return run.BuildAll(ctx, plan.Fetches, progress)
			})
		},
	}
	shared.BindCluster(cmd.Flags())
	shared.BindFile(cmd.Flags())
	return cmd
}

func newKindConfig(shared *command.Shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kind-config",
		Short: "Print a configuration for plain kind with the same node",
		Long: `kind-config fetches the node image, loads it into the container engine, and prints a configuration for
"kind create cluster --config". Use it to compare the node, or to run it without the sandbox.`,
		Example: "  go run ./sandbox kind-config > kind.yaml && kind create cluster --config kind.yaml",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return shared.WithProgress(cmd.Context(), stderr, func(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress) error {
				config, err := run.KindConfig(ctx, progress)
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(ui.Raw(cmd.OutOrStdout()), config)
				return err
			})
		},
	}
	shared.BindUp(cmd.Flags())
	return cmd
}

func newAssets(shared *command.Shared, stderr *os.File) *cobra.Command {
	return &cobra.Command{
		Use:   "envtest-assets",
		Short: "Build kube-apiserver, etcd and kubectl, and print their folder",
		Long: `envtest-assets builds the programs of a control plane from source, unless the cache has them, and prints their folder for
envtest's variable KUBEBUILDER_ASSETS. An embedded cluster runs the same binaries.`,
		Example: `  KUBEBUILDER_ASSETS=$(go run ./sandbox envtest-assets) go test ./operator/...`,
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			progress := ui.NewProgress(stderr)
			step := progress.Step("control plane programs")
			folder, err := run.ControlPlaneBinaries(cmd.Context(), step.Detail)
			step.End(err)
			progress.Close()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), folder)
			return nil
		},
	}
}

func newManifests() *cobra.Command {
	var overlay, image string
	cmd := &cobra.Command{
		Use:     "manifests",
		Short:   "Print the operator's manifests",
		Long:    `manifests renders an overlay of config/, as kustomize does, and replaces the operator's image. It needs no cluster.`,
		Example: "  go run ./sandbox manifests --image=registry.example/operator:v1 | kubectl apply -f -",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if names := overlays(); !slices.Contains(names, overlay) {
				return command.Usagef("--overlay=%s: use %s", overlay, command.OneOf(names))
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
				if _, err := fmt.Fprintf(ui.Raw(cmd.OutOrStdout()), "---\n%s", text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&overlay, "overlay", "default", "folder in config/")
	cmd.Flags().StringVar(&image, "image", "", "image of the operator (default the image in the manifests)")
	return cmd
}

// overlays lists the folders in config/ that have a kustomization.yaml.
func overlays() []string {
	found, err := fs.Glob(config.Files, "*/kustomization.yaml")
	if err != nil {
		panic(err) // The only error is a malformed pattern.
	}
	for i, file := range found {
		found[i] = path.Dir(file)
	}
	return found
}

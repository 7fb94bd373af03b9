package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/scaffold"
)

const projectFile = "sandbox.yaml"

func newInit() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write the sandbox.yaml of an operator",
		Long: `init writes sandbox.yaml into the folder of an operator's project (default the working folder), so that
"sandbox up -f sandbox.yaml" runs the operator. It supports the layouts of kubebuilder and operator-sdk, and similar ones
without a PROJECT file. It reads the Go files, the manifests in config and the samples, chooses a sample and the condition that
the controller of its kind sets, and prints the source of each field. It builds nothing. docs/sandbox-yaml.md describes all fields.`,
		Example: "  cd my-operator && sandbox init && sandbox --source=CLONE up -f sandbox.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usagef("expected at most one folder, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			path := filepath.Join(append(args, projectFile)...)
			if _, err := os.Stat(path); err == nil && !force {
				return existsError(path)
			}
			guess, err := scaffold.Read(filepath.Dir(path))
			if err != nil {
				return err
			}
			if err := writeNew(path, guess.Text, force); err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.ErrOrStderr(), 0, 0, 2, ' ', 0)
			for _, n := range guess.Notes {
				command.Row(table, n.Field, n.Value, n.From)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			if guess.Missing != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "\nThe file is incomplete: %s\n", strings.TrimSpace(guess.Missing.Error()))
			}
			if guess.Embedded != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "\nThe operator needs --cluster=kind: %s\n", strings.TrimSpace(guess.Embedded.Error()))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", path)
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "permission to overwrite an existing file")
	return cmd
}

func existsError(path string) error {
	return fmt.Errorf("writing %s: the file exists; pass --force to overwrite it", path)
}

// writeNew writes a file. Unless force is set, it returns an error if the file exists.
func writeNew(path, text string, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return existsError(path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", projectFile, err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

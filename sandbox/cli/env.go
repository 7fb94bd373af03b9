package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

func newEnv(shared *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print shell commands that point programs at the sandbox",
		Long: `env prints export commands for a shell: KUBECONFIG, and the standard variables by which a program with OpenTelemetry
sends its traces to the sandbox's Jaeger. On an existing cluster it is KUBECONFIG alone: "sandbox forward" brings Jaeger's ports here.`,
		Example: "  eval \"$(go run ./sandbox env)\"",
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := attach(shared)
			if err != nil {
				return err
			}
			if run.Existing() { // Jaeger has no ports here: see newForward.
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\n", shellQuote(run.Dir.Kubeconfig()))
				return err
			}
			addresses := run.Addresses()
			var script strings.Builder
			for _, v := range [][2]string{
				{"KUBECONFIG", run.Dir.Kubeconfig()},
				{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://" + addresses[component.OTLPGRPC]},
				{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
				{"OTEL_EXPORTER_JAEGER_ENDPOINT", addresses[component.Thrift]},
				{"OTEL_BSP_SCHEDULE_DELAY", "200"},
			} {
				fmt.Fprintf(&script, "export %s=%s\n", v[0], shellQuote(v[1]))
			}
			_, err = io.WriteString(cmd.OutOrStdout(), script.String())
			return err
		},
	}
}

// shellWord quotes a word only if a shell would not take it as it is.
func shellWord(word string) string {
	if strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("/._-+=:@%", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0 {
		return word
	}
	return shellQuote(word)
}

// shellQuote quotes a word for a POSIX shell.
func shellQuote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

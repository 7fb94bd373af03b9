package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/pkg/controller"
)

func TestControllerFlags(t *testing.T) {
	all := len(controller.Known())
	tests := []struct {
		name  string
		args  []string
		want  string // part of the error; empty means no error
		check func(*config.ControllerConfiguration) bool
	}{
		{"defaults", nil, "", func(c *config.ControllerConfiguration) bool {
			return c.LeaderElectionConfig.Enabled && c.HealthzListenAddress == "0.0.0.0:9403" && len(enabledControllers(c)) == all
		}},
		{"flags of the chart", []string{"--v=2", "--cluster-resource-namespace=cm", "--leader-elect=false", "--leader-election-namespace=cm",
			"--acme-http01-solver-image=x", "--max-concurrent-challenges=60"}, "", func(c *config.ControllerConfiguration) bool {
			return !c.LeaderElectionConfig.Enabled && c.Logging.Verbosity == 2 && contextOptions(c).ClusterResourceNamespace == "cm"
		}},
		{"approver disabled", []string{"--controllers=*,-certificaterequests-approver"}, "", func(c *config.ControllerConfiguration) bool {
			return !slices.Contains(enabledControllers(c), "certificaterequests-approver") && len(enabledControllers(c)) == all-1
		}},
		{"no cluster issuers in a single namespace", []string{"--namespace=one"}, "", func(c *config.ControllerConfiguration) bool {
			return !slices.Contains(enabledControllers(c), "clusterissuers") && len(enabledControllers(c)) == all-1
		}},
		{"backoff", []string{"--certificate-request-minimum-backoff-duration=1m"}, "", func(c *config.ControllerConfiguration) bool {
			return contextOptions(c).CertificateRequestMinimumBackoffDuration == time.Minute
		}},
		{"unknown flag", []string{"--nope"}, "unknown flag: --nope", nil},
		{"unexpected argument", []string{"nope"}, `unexpected argument "nope"`, nil},
		{"unlinked controller", []string{"--controllers=orders"}, `Unsupported value: "orders"`, nil},
		{"negative lease duration", []string{"--leader-election-lease-duration=-1s"}, "leaseDuration", nil},
		{"maximum backoff below the minimum", []string{"--certificate-request-maximum-backoff-duration=1s"}, "must be at least the minimum", nil},
		{"no workers", []string{"--concurrent-workers=0"}, "must be at least 1", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := controllerProgram.configure(test.args)
			switch {
			case test.want == "" && err != nil:
				t.Fatalf("configure(%q): %v", test.args, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("configure(%q) = %v, want an error that contains %q", test.args, err, test.want)
			case test.check != nil && !test.check(c):
				t.Errorf("configure(%q) = %+v", test.args, c)
			}
		})
	}
}

// Flags override the configuration file, and the file overrides the defaults.
func TestConfigurationFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("apiVersion: webhook.config.cert-manager.io/v1alpha1\nkind: WebhookConfiguration\nsecurePort: 1\nhealthzPort: 2\n")
	w, err := webhookProgram.configure([]string{"--config=" + path, "--healthz-port=3"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := [3]any{w.SecurePort, w.HealthzPort, w.MetricsListenAddress}, [3]any{int32(1), int32(3), "0.0.0.0:9402"}; got != want {
		t.Errorf("secure port, health port and metrics address = %v, want %v", got, want)
	}

	write("apiVersion: cainjector.config.cert-manager.io/v1alpha1\nkind: CAInjectorConfiguration\nnamespace: one\n")
	i, err := cainjectorProgram.configure([]string{"--config=" + path, "--leader-elect=false"})
	if err != nil {
		t.Fatal(err)
	}
	if i.Namespace != "one" || i.LeaderElectionConfig.Enabled || !i.EnableInjectableConfig.APIServices {
		t.Errorf("cainjector configuration = %+v, want namespace one, no leader election and APIServices", i)
	}

	write("kind: Nonsense\n")
	if _, err := webhookProgram.configure([]string{"--config=" + path}); err == nil || !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), "Nonsense") {
		t.Errorf("configure with a file of an unknown kind: got error %v, want one that names the file or its kind", err)
	}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		argv []string
		want int
	}{
		{[]string{"certmanager"}, 2},
		{[]string{"/usr/bin/controller", "--nope"}, 2},
		{[]string{"cainjector", "--help"}, 0},
		{[]string{"webhook", "--kubeconfig=/nonexistent"}, 1},
	} {
		if got := run(test.argv); got != test.want {
			t.Errorf("run(%q) = %d, want %d", test.argv, got, test.want)
		}
	}
}

package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

func envOf(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parse(t *testing.T, vars map[string]string, args ...string) options {
	t.Helper()
	o, err := parseOptions(args, envOf(vars), &bytes.Buffer{})
	if err != nil {
		t.Fatalf("parsing %v with environment %v: %v", args, vars, err)
	}
	return o
}

func TestDefaultOptions(t *testing.T) {
	want := options{
		metricsAddress:   "127.0.0.1:8080",
		probeAddress:     ":8081",
		webhooks:         true,
		webhookPort:      9443,
		webhookCertDir:   "/tmp/k8s-webhook-server/serving-certs",
		untrustedContext: tracing.UntrustedLink,
		relation:         tracing.RelationAuto,
		maxAge:           time.Hour,
		convergedAge:     10 * time.Minute,
		logFormat:        "json",
	}
	if diff := cmp.Diff(want, parse(t, nil), cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestFlagWinsOverEnvironmentWinsOverFile(t *testing.T) {
	file := writeConfig(t, "webhook-port: 1\nleader-elect: true\nlog-level: 3\ntrusted-writers: [a, b]\n")
	env := map[string]string{"OPERATOR_CONFIG": file, "OPERATOR_WEBHOOK_PORT": "2", "OPERATOR_LOG_LEVEL": "2"}

	o := parse(t, env, "--webhook-port=3")
	if o.webhookPort != 3 || o.verbosity != 2 || !o.leaderElect {
		t.Errorf("port %d, verbosity %d, leader election %t; want 3 (flag), 2 (environment), true (file)",
			o.webhookPort, o.verbosity, o.leaderElect)
	}
	if o := parse(t, map[string]string{"OPERATOR_RELATION": "link"}); o.relation != tracing.RelationLink {
		t.Errorf("relation %s, want link (environment)", o.relation)
	}
	if diff := cmp.Diff([]string{"a", "b"}, o.trustedWriters); diff != "" {
		t.Errorf("list from the file (-want +got):\n%s", diff)
	}
	// A flag set to its own default is given all the same.
	if o := parse(t, env, "--webhook-port=9443", "--leader-elect=false"); o.webhookPort != 9443 || o.leaderElect {
		t.Errorf("port %d, leader election %t: a flag with the default value lost to the environment or file", o.webhookPort, o.leaderElect)
	}
}

func TestBadOptionsNameTheirSource(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		env  map[string]string
		file string
		want []string
	}{
		"unknown flag":         {args: []string{"--no-such"}, want: []string{"no-such"}},
		"flag without value":   {args: []string{"--webhook-port"}, want: []string{"webhook-port"}},
		"not a number":         {args: []string{"--webhook-port=x"}, want: []string{"webhook-port", `"x"`}},
		"port in the host":     {args: []string{"--webhook-host=127.0.0.1:9443"}, want: []string{"--webhook-host=127.0.0.1:9443"}},
		"port too high":        {args: []string{"--webhook-port=65536"}, want: []string{"webhook-port", "65536"}},
		"no address":           {args: []string{"--metrics-bind-address=8080"}, want: []string{"--metrics-bind-address=8080"}},
		"two bad addresses":    {args: []string{"--metrics-bind-address=a", "--health-probe-bind-address=b"}, want: []string{"metrics-", "health-"}},
		"untrusted context":    {args: []string{"--untrusted-context=child"}, want: []string{"untrusted-context", "child", "link, parent or ignore"}},
		"relation":             {args: []string{"--relation=parent"}, want: []string{"relation", "parent", "auto, child or link"}},
		"age without unit":     {args: []string{"--max-age=10"}, want: []string{"max-age", `"10"`}},
		"no age":               {env: map[string]string{"OPERATOR_CONVERGED_AGE": "0s"}, want: []string{"--converged-age=0s", "(--converged-age comes from OPERATOR_CONVERGED_AGE)"}},
		"log level":            {args: []string{"--log-level=loud"}, want: []string{"log-level", "loud"}},
		"negative log level":   {args: []string{"--log-level=-1"}, want: []string{"log-level", "-1"}},
		"log format":           {args: []string{"--log-format=xml"}, want: []string{"log-format", "xml"}},
		"argument":             {args: []string{"start"}, want: []string{`"start"`}},
		"environment":          {env: map[string]string{"OPERATOR_LEADER_ELECT": "perhaps"}, want: []string{"OPERATOR_LEADER_ELECT", "perhaps"}},
		"missing file":         {args: []string{"--config=/no/such"}, want: []string{"--config", "/no/such"}},
		"file, unknown option": {file: "webhok-port: 1", want: []string{"config.yaml", `"webhok-port"`}},
		"file, itself":         {file: "config: other.yaml", want: []string{`"config"`}},
		"file, bad value":      {file: "webhook-port: many", want: []string{"config.yaml:1", "--webhook-port=many"}},
		"file, not YAML":       {file: "{", want: []string{"config.yaml"}},
		"file, twice":          {file: "webhook-port: 1\nwebhook-port: 2\n", want: []string{"config.yaml", "webhook-port"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := tc.args
			if tc.file != "" {
				args = append(args, "--config="+writeConfig(t, tc.file))
			}
			_, err := parseOptions(args, envOf(tc.env), &bytes.Buffer{})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestWebhookHost(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1", "localhost", ""} {
		o := parse(t, map[string]string{"OPERATOR_WEBHOOK_HOST": host})
		server, ok := managerOptions(o, nil, logr.Discard()).WebhookServer.(*ctrlwebhook.DefaultServer)
		if !ok || server.Options.Host != host || server.Options.Port != 9443 {
			t.Errorf("host %q: the webhook's server is %+v", host, server)
		}
	}
}

func TestUsageNamesEveryVariable(t *testing.T) {
	var out bytes.Buffer
	if _, err := parseOptions([]string{"-h"}, envOf(nil), &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("error = %v, want flag.ErrHelp", err)
	}
	for _, name := range []string{"$OPERATOR_METRICS_BIND_ADDRESS", "$OPERATOR_UNTRUSTED_CONTEXT", "$POD_NAMESPACE"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("the usage lacks %s:\n%s", name, out.String())
		}
	}
}

func TestTrustedWriters(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		want []string
	}{
		"none":        {},
		"flag":        {args: []string{"--trusted-writers=a, b,"}, want: []string{"a", "b"}},
		"environment": {env: map[string]string{"OPERATOR_TRUSTED_WRITERS": "a,b"}, want: []string{"a", "b"}},
		"last flag":   {args: []string{"--trusted-writers=a", "--trusted-writers=b"}, want: []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, tc.env, tc.args...)
			if diff := cmp.Diff(tc.want, o.trustedWriters); diff != "" {
				t.Errorf("trusted writers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunExitCodes(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"--help"}, envOf(nil), &out); code != exitOK {
		t.Errorf("--help ends with %d, want %d", code, exitOK)
	}
	for _, bad := range []string{"--webhook-port=0", "--webhook-port=x", "--no-such"} {
		out.Reset()
		if code := run([]string{bad}, envOf(nil), &out); code != exitUsage {
			t.Errorf("%s ends with %d, want %d", bad, code, exitUsage)
		}
		if got := out.String(); !strings.HasPrefix(got, "operator: ") || strings.Count(got, "\n") != 1 {
			t.Errorf("%s says %q, want one line", bad, got)
		}
	}
}

func TestLogger(t *testing.T) {
	for level, want := range map[string][2]bool{"error": {false, false}, "info": {true, false}, "debug": {true, true}, "0": {true, false}, "1": {true, true}} {
		var out bytes.Buffer
		o := parse(t, nil, "--log-level="+level, "--log-format=text")
		logger := o.logger(&out)
		logger.Info("one line")
		logger.V(1).Info("a detail")
		logger.Error(errors.New("broken"), "trouble")
		got := [2]bool{strings.Contains(out.String(), "one line"), strings.Contains(out.String(), "a detail")}
		if got != want || !strings.Contains(out.String(), "broken") {
			t.Errorf("level %s shows (info, detail) = %v, want %v, and errors:\n%s", level, got, want, out.String())
		}
	}
}

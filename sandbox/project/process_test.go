package project

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// place is an example.
var place = Place{
	Folder: "/state/op", WebhookPort: 1234, ProbeAddress: "127.0.0.1:5678", WebhookClientCA: "/state/ca.crt",
	Telemetry: Telemetry{Host: "127.0.0.1", Ports: component.Ports{component.OTLPGRPC: 1, component.OTLPHTTP: 2, component.Thrift: 3}},
}

// scaffolded is a Deployment with a webhook and metrics, as kubebuilder generates it.
const scaffolded = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: op, namespace: op-system}
spec:
  selector: {matchLabels: {app: op}}
  template:
    metadata: {labels: {app: op}}
    spec:
      serviceAccountName: op-manager
      containers:
      - name: manager
        image: controller
        command: [/manager]
        args:
        - --metrics-bind-address=:8443
        - --leader-elect
        - --health-probe-bind-address=:8081
        - --webhook-cert-path=/tmp/k8s-webhook-server/serving-certs
        - --zap-log-level=debug
        env:
        - {name: MINE, value: "kept, $(NS)"}
        - {name: NS, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: AFTER, value: "in $(NS), $(UNKNOWN), $$(NS)"}
        - {name: OTEL_BSP_SCHEDULE_DELAY, value: "7"}
        ports: [{name: webhook-server, containerPort: 9443}]
        volumeMounts:
        - {name: webhook-certs, mountPath: /tmp/k8s-webhook-server/serving-certs, readOnly: true}
      volumes:
      - {name: webhook-certs, secret: {secretName: webhook-server-cert}}
---
apiVersion: v1
kind: Service
metadata: {name: webhook-service, namespace: op-system}
spec: {ports: [{port: 443, targetPort: webhook-server}]}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: serving-cert, namespace: op-system}
spec: {secretName: webhook-server-cert, dnsNames: [x]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hooks}
webhooks: [{name: a, clientConfig: {service: {name: webhook-service, namespace: op-system, path: /validate}}}]
`

func TestProcess(t *testing.T) {
	text := strings.Replace(minimal, "  manifests: [config]", "  embedded: {args: [\"--namespace=$(NAMESPACE)\"]}\n  env: {FROM_FILE: f, BOTH: f}\n  manifests: [config]", 1)
	m := rendered(t, write(t, text, map[string]string{"config/deployment.yaml": scaffolded}))
	here := place
	here.Env = map[string]string{"BOTH": "u"}
	p, err := m.Process(here)
	if err != nil {
		t.Fatal(err)
	}
	certs := "/state/op/tmp/k8s-webhook-server/serving-certs"
	wantArgs := []string{
		"--metrics-bind-address=0", "--leader-elect=false", "--health-probe-bind-address=127.0.0.1:5678", "--webhook-cert-path=" + certs, "--zap-log-level=debug", "--namespace=op-system",
	}
	if diff := cmp.Diff(wantArgs, p.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if p.Namespace != "op-system" || p.Account != "op-manager" || !p.Probed {
		t.Errorf("account = %s/%s, Probed = %t; want op-system/op-manager and true", p.Namespace, p.Account, p.Probed)
	}
	if diff := cmp.Diff(map[string]string{certs: "webhook-server-cert"}, p.Secrets); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
	env := map[string]string{}
	for _, v := range p.Env {
		if _, twice := env[v.Name]; twice {
			t.Errorf("variable %s is set twice", v.Name)
		}
		env[v.Name] = v.Value
	}
	for name, want := range map[string]string{
		"MINE": "kept, $(NS)", "NS": "op-system", "AFTER": "in op-system, $(UNKNOWN), $(NS)", // The kubelet expands only references to preceding variables.
		"OTEL_BSP_SCHEDULE_DELAY": "7", "OTEL_SERVICE_NAME": "op", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
		"OTEL_EXPORTER_JAEGER_ENDPOINT": "http://127.0.0.1:3/api/traces", "SANDBOX_OTLP_HTTP": "http://127.0.0.1:2",
		"FROM_FILE": "f", "BOTH": "u",
		"HOME": "/state/op/home", "KUBECONFIG": "/state/op/kubeconfig", "TMPDIR": "/state/op/tmp", // The default location of certificates is below it.
	} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	if port := m.WebhookPort(); port != 9443 {
		t.Errorf("WebhookPort = %d, want 9443, the target port of its Service", port)
	}
	again, err := m.Process(here)
	if err != nil || !cmp.Equal(p, again) {
		t.Errorf("second call of Process (-first +second), error %v:\n%s", err, cmp.Diff(p, again))
	}
}

func TestWebhookPort(t *testing.T) {
	text := strings.Replace(minimal, "  manifests: [config]", "  embedded: {args: [\"--webhook-port=$(WEBHOOK_PORT)\"]}\n  manifests: [config]", 1)
	for name, test := range map[string]struct {
		text, deployment string
		port             int
		arg              string
	}{
		"by an argument of the file": {text, scaffolded, 0, "--webhook-port=1234"},
		"by a Deployment's argument": {minimal, strings.Replace(scaffolded, "--leader-elect", "--webhook-port=9999", 1), 0, "--webhook-port=1234"},
		"in two arguments":           {minimal, strings.Replace(scaffolded, "- --leader-elect", "- --webhook-port\n        - \"9999\"", 1), 0, "--webhook-port=1234"},
		"by the number of a Service": {minimal, strings.Replace(scaffolded, "targetPort: webhook-server", "targetPort: 8888", 1), 8888, ""},
		"controller-runtime default": {minimal, strings.Replace(scaffolded, "targetPort: webhook-server", "targetPort: other", 1), 9443, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := rendered(t, write(t, test.text, map[string]string{"config/deployment.yaml": test.deployment}))
			if got := m.WebhookPort(); got != test.port {
				t.Errorf("WebhookPort = %d, want %d", got, test.port)
			}
			p, err := m.Process(place)
			if err != nil {
				t.Fatal(err)
			}
			if test.arg != "" && !slices.Contains(p.Args, test.arg) || slices.Contains(p.Args, "9999") {
				t.Errorf("Args = %q, want %q and not 9999", p.Args, test.arg)
			}
		})
	}
	if port := rendered(t, write(t, minimal, nil)).WebhookPort(); port != 0 {
		t.Errorf("WebhookPort without a webhook = %d, want 0", port)
	}
}

func TestProcessOfTheMinimalFile(t *testing.T) {
	p, err := rendered(t, write(t, minimal, nil)).Process(place)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Args) != 0 || p.Probed || !slices.Equal(p.Folders, []string{"/state/op/tmp", "/state/op/home"}) || len(p.Secrets) != 0 || p.Account != "op" {
		t.Errorf("Process = %+v, want no arguments, probe and Secrets", p)
	}
}

// Process returns an error for each unsupported feature.
func TestUnsupportedFeatures(t *testing.T) {
	replace := func(old, now string) map[string]string {
		if !strings.Contains(scaffolded, old) {
			t.Fatalf("there is no %q to replace", old)
		}
		return map[string]string{"config/deployment.yaml": strings.Replace(scaffolded, old, now, 1)}
	}
	secret := replace("        volumeMounts:", "        volumeMounts:\n        - {name: more, mountPath: /more}")
	secret["config/deployment.yaml"] = strings.Replace(secret["config/deployment.yaml"], "      volumes:", "      volumes:\n      - {name: more, secret: {secretName: mine}}", 1)
	image := strings.Replace(minimal, "build: {main: ./cmd}", "image: example.com/op:1", 1)
	for name, test := range map[string]struct {
		text  string
		files map[string]string
		want  string
	}{
		"an image":             {image, nil, "it cannot run the image example.com/op:1"},
		"another workload":     {minimal, map[string]string{"config/job.yaml": "{apiVersion: batch/v1, kind: Job, metadata: {name: setup}}"}, "it cannot run Job setup"},
		"an init container":    {minimal, replace("      containers:", "      initContainers: [{name: first}]\n      containers:"), "it cannot run init container first"},
		"a sidecar":            {minimal, replace("      - name: manager", "      - {name: proxy}\n      - name: manager"), "it cannot run container proxy"},
		"a ConfigMap's folder": {minimal, replace("secret: {secretName: webhook-server-cert}", "configMap: {name: c}"), "it requires a mounted Secret of a Certificate"},
		"a Secret of the user": {minimal, secret, "volume more, mounted at /more, must be an emptyDir, a claim, or a whole Secret or ConfigMap"},
		"a variable":           {minimal, replace("fieldRef: {fieldPath: metadata.namespace}", "secretKeyRef: {name: s, key: k}"), "the value of variable NS is available only in a Pod; set it in operator.env"},
		"a field of a Pod":     {minimal, replace("fieldPath: metadata.namespace", "fieldPath: metadata.uid"), "the value of variable NS is available only in a Pod"},
		"many variables":       {minimal, replace("        env:", "        envFrom: [{configMapRef: {name: c}}]\n        env:"), "envFrom"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rendered(t, write(t, test.text, test.files)).Process(place)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--cluster=embedded runs the operator as a process") || !strings.Contains(err.Error(), "use --cluster=kind") {
				t.Errorf("Process = %v, want an error with %q", err, test.want)
			}
		})
	}
	// operator.env replaces a value that is available only in a Pod.
	text := strings.Replace(minimal, "  manifests: [config]", "  env: {NS: mine}\n  manifests: [config]", 1)
	p, err := rendered(t, write(t, text, replace("fieldRef: {fieldPath: metadata.namespace}", "secretKeyRef: {name: s, key: k}"))).Process(place)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(p.Env, Variable{Name: "NS", Value: "mine"}) {
		t.Errorf("Env = %v, want NS=mine", p.Env)
	}
	// A process needs no kube-rbac-proxy, and an emptyDir can be any folder.
	files := replace("      - name: manager", "      - {name: kube-rbac-proxy}\n      - name: manager")
	files["config/deployment.yaml"] = strings.Replace(files["config/deployment.yaml"], "        volumeMounts:", "        volumeMounts:\n        - {name: scratch, mountPath: /var/scratch}", 1)
	files["config/deployment.yaml"] = strings.Replace(files["config/deployment.yaml"], "      volumes:", "      volumes:\n      - {name: scratch, emptyDir: {}}", 1)
	files["config/deployment.yaml"] = strings.Replace(files["config/deployment.yaml"], "--zap-log-level=debug", "--scratch=/var/scratch/deep", 1)
	if p, err = rendered(t, write(t, minimal, files)).Process(place); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(p.Args, "--scratch=/state/op/volumes/scratch/deep") {
		t.Errorf("Args = %q, want the relocated folder", p.Args)
	}
}

func TestOtherImages(t *testing.T) {
	text := strings.Replace(minimal, "  manifests: [config]", "  images: [example.com/b:1, example.com/a:1]\n  manifests: [config]", 1)
	files := map[string]string{"config/deployment.yaml": strings.Replace(scaffolded, "      - name: manager", "      - {name: proxy, image: example.com/proxy:1}\n      - name: manager", 1)}
	m := rendered(t, write(t, text, files))
	if diff := cmp.Diff([]string{"example.com/a:1", "example.com/b:1", "example.com/proxy:1"}, m.OtherImages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Process defines all variables that the check of a file accepts.
func TestVariablesAreDefined(t *testing.T) {
	text := strings.Replace(minimal, "  manifests: [config]", "  embedded: {args: [\"$("+strings.Join(variables, ")\", \"$(")+")\"]}\n  manifests: [config]", 1)
	p, err := rendered(t, write(t, text, map[string]string{"config/deployment.yaml": scaffolded})).Process(place)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, arg := range p.Args[len(p.Args)-len(variables):] {
		got[variables[i]] = arg
	}
	want := map[string]string{
		"KUBECONFIG": "/state/op/kubeconfig", "NAMESPACE": "op-system", "SERVICE_ACCOUNT": "op-manager", "PROBE_ADDRESS": "127.0.0.1:5678", "WEBHOOK_PORT": "1234",
		"WEBHOOK_CERT_DIR": "/state/op/tmp/k8s-webhook-server/serving-certs", "WEBHOOK_CLIENT_CA": "/state/ca.crt",
	}
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(slices.Sorted(maps.Keys(want)), variables) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A process has a folder for each volume that needs no Pod.
func TestVolumes(t *testing.T) {
	configMap := "{apiVersion: v1, kind: ConfigMap, metadata: {name: mine, namespace: op-system}}"
	for name, test := range map[string]struct {
		volume            string
		secret, configMap string
		refused           bool
	}{
		"an emptyDir":                    {volume: "emptyDir: {}"},
		"a claim":                        {volume: "persistentVolumeClaim: {claimName: c}"},
		"an optional ConfigMap":          {volume: "configMap: {name: absent, optional: true}"},
		"an optional Secret":             {volume: "secret: {secretName: absent, optional: true}"},
		"a ConfigMap of the manifests":   {volume: "configMap: {name: mine}", configMap: "mine"},
		"a certificate":                  {volume: "secret: {secretName: webhook-server-cert}", secret: "webhook-server-cert"},
		"a required ConfigMap of others": {volume: "configMap: {name: absent}", refused: true},
		"a required Secret of others":    {volume: "secret: {secretName: absent, optional: false}", refused: true},
		"keys of a certificate":          {volume: "secret: {secretName: webhook-server-cert, items: [{key: ca.crt, path: ca.crt}]}", secret: "webhook-server-cert"},
		"chosen keys":                    {volume: "configMap: {name: mine, items: [{key: a, path: b}]}", refused: true},
		"a folder of the node":           {volume: "hostPath: {path: /}", refused: true},
		"several sources":                {volume: "projected: {sources: []}", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := strings.Replace(scaffolded, "        volumeMounts:", "        volumeMounts:\n        - {name: more, mountPath: /more}", 1)
			deployment = strings.Replace(deployment, "      volumes:", "      volumes:\n      - {name: more, "+test.volume+"}", 1)
			p, err := rendered(t, write(t, minimal, map[string]string{"config/deployment.yaml": deployment, "config/c.yaml": configMap})).Process(place)
			if test.refused {
				if err == nil || !strings.Contains(err.Error(), "volume more, mounted at /more, must be") {
					t.Errorf("Process = %v, want an error about the volume", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			const folder = "/state/op/volumes/more"
			if p.Secrets[folder] != test.secret || p.ConfigMaps[folder] != test.configMap || !slices.Contains(p.Folders, folder) {
				t.Errorf("Process = %+v, want Secret %q and ConfigMap %q", p, test.secret, test.configMap)
			}
		})
	}
}

// All unsupported features are reported at once.
func TestAllUnsupportedFeatures(t *testing.T) {
	deployment := strings.Replace(scaffolded, "      containers:", "      initContainers: [{name: first}, {name: second}]\n      containers:", 1)
	deployment = strings.Replace(deployment, "        env:", "        envFrom: [{configMapRef: {name: c}}]\n        env:\n        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}", 1)
	_, err := rendered(t, write(t, minimal, map[string]string{"config/deployment.yaml": deployment, "config/job.yaml": "{apiVersion: batch/v1, kind: Job, metadata: {name: setup}}"})).Process(place)
	if err == nil || strings.Count(err.Error(), "--cluster=embedded runs") != 5 {
		t.Errorf("Process = %v, want five errors", err)
	}
}

// Arguments that a process can't have are replaced, and references to variables are resolved.
func TestArguments(t *testing.T) {
	for argument, want := range map[string]string{
		"--leader-elect": "--leader-elect=false", "--leader-elect=true": "--leader-elect=false", "-enable-leader-election": "-enable-leader-election=false",
		"--namespace=$(NS)": "--namespace=op-system", "$(MINE)": "kept, $(NS)", "--x=$$(NS)": "--x=$(NS)", "--y=$(NONE)": "--y=$(NONE)", "--home=$(HOME)": "--home=/state/op/home",
		"--kubeconfig=$(KUBECONFIG)": "--kubeconfig=/state/op/kubeconfig",
	} {
		p, err := rendered(t, write(t, minimal, map[string]string{"config/deployment.yaml": strings.Replace(scaffolded, "--leader-elect", argument, 1)})).Process(place)
		if err != nil {
			t.Fatal(err)
		}
		if p.Args[1] != want {
			t.Errorf("argument %q became %q, want %q", argument, p.Args[1], want)
		}
	}
}

// The manager can be a StatefulSet, with claims. A Deployment beside a StatefulSet is the manager.
func TestStatefulSet(t *testing.T) {
	set := strings.Replace(scaffolded, "kind: Deployment", "kind: StatefulSet", 1)
	set = strings.Replace(set, "        volumeMounts:", "        volumeMounts:\n        - {name: claimed, mountPath: /data}", 1)
	p, err := rendered(t, write(t, minimal, map[string]string{"config/deployment.yaml": set})).Process(place)
	if err != nil || !slices.Contains(p.Folders, "/state/op/volumes/claimed") {
		t.Errorf("Process = %+v, %v; want a folder for the claim", p, err)
	}
	m := rendered(t, write(t, minimal, map[string]string{"config/set.yaml": strings.ReplaceAll(set, "name: op,", "name: database,")}))
	if m.Deployment.Name != "op" || m.Deployment.Kind != "Deployment" {
		t.Errorf("manager = %s %s, want the Deployment", m.Deployment.Kind, m.Deployment.Name)
	}
	m = rendered(t, write(t, strings.Replace(minimal, "  manifests: [config]", "  deployment: database\n  manifests: [config]", 1), map[string]string{"config/set.yaml": strings.ReplaceAll(set, "name: op,", "name: database,")}))
	if m.Deployment.Name != "database" || m.Deployment.Kind != "StatefulSet" {
		t.Errorf("manager = %s %s, want the named StatefulSet", m.Deployment.Kind, m.Deployment.Name)
	}
}

// A variable can have the value of a label or annotation of the Pod.
func TestLabelsAndAnnotations(t *testing.T) {
	deployment := strings.Replace(scaffolded, "        env:", `        env:
        - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app.example.com/name']"}}}
        - {name: WATCH, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['olm.targetNamespaces']"}}}`, 1)
	deployment = strings.Replace(deployment, "metadata: {labels: {app: op}}", "metadata: {labels: {app: op, app.example.com/name: shop}}", 1)
	p, err := rendered(t, write(t, minimal, map[string]string{"config/deployment.yaml": deployment})).Process(place)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Variable{{Name: "APP", Value: "shop"}, {Name: "WATCH"}} {
		if !slices.Contains(p.Env, want) {
			t.Errorf("Env = %v, want %v", p.Env, want)
		}
	}
}

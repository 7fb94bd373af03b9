package scaffold

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// complete parses the generated file like the sandbox does, renders the manifests, and adds the
// fields that the manifests require.
func (r *reader) complete() {
	manifests, err := r.render()
	if err == nil {
		r.note("operator.deployment", manifests.Deployment.Namespace+"/"+manifests.Deployment.Name, "from the rendered manifests")
		if r.embeddedArgs(manifests); len(r.File.Operator.Embedded.Args) > 0 {
			manifests, err = r.render()
		}
	}
	if r.Missing = err; err == nil {
		_, r.Embedded = manifests.Process(project.Place{})
	}
}

// render generates the text of the file, parses it and renders its manifests.
func (r *reader) render() (*project.Manifests, error) {
	var out bytes.Buffer
	if err := text.Execute(&out, r.File); err != nil {
		return nil, fmt.Errorf("writing sandbox.yaml: %w", err)
	}
	r.Text = out.String()
	p, err := project.Parse(filepath.Join(r.folder, "sandbox.yaml"), []byte(r.Text))
	if err != nil {
		return nil, err
	}
	return p.Render()
}

// processFlags are flags for the addresses, the certificates and the leader election of a process.
// complete adds them only if the manager's container does not set them, because the sandbox changes
// existing flags itself. Some operators elect a leader by default.
var processFlags = []struct{ flag, value, why string }{
	{"health-probe-bind-address", "$(PROBE_ADDRESS)", "its default port can be in use on this machine"},
	{"health-addr", "$(PROBE_ADDRESS)", "its default port can be in use on this machine"},
	{"metrics-bind-address", "0", "the sandbox does not read its metrics"},
	{"metrics-addr", "0", "the sandbox does not read its metrics"},
	{"leader-elect", "false", "a process outside a Pod has no namespace for a lease"},
	{"enable-leader-election", "false", "a process outside a Pod has no namespace for a lease"},
	{"webhook-port", "$(WEBHOOK_PORT)", "its default port can be in use on this machine"},
	{"webhook-cert-path", "$(WEBHOOK_CERT_DIR)", "the sandbox writes the certificate"},
	{"webhook-cert-dir", "$(WEBHOOK_CERT_DIR)", "the sandbox writes the certificate"},
}

func (r *reader) embeddedArgs(m *project.Manifests) {
	container := m.Deployment.Spec.Template.Spec.Containers[m.Container]
	named := func(flag string) bool {
		return slices.ContainsFunc(slices.Concat(container.Command, container.Args), func(arg string) bool {
			name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			return name == flag
		})
	}
	for _, t := range processFlags {
		if strings.HasPrefix(t.flag, "webhook-") && !m.HasWebhook() || !slices.Contains(r.program.Flags, t.flag) || named(t.flag) {
			continue
		}
		arg := "--" + t.flag + "=" + t.value
		r.File.Operator.Embedded.Args = append(r.File.Operator.Embedded.Args, arg)
		r.note("operator.embedded.args", arg, "main.go defines the flag, the Deployment does not set it, and %s", t.why)
	}
}

var text = template.Must(template.New("sandbox.yaml").Funcs(template.FuncMap{"value": value}).Parse(
	`# Configures how the operator sandbox runs this operator. For all fields, see its docs/sandbox-yaml.md.
apiVersion: {{value .APIVersion}}
kind: {{value .Kind}}
operator:
{{- with .Operator.Build}}
  build:
    main: {{value .Main}}
{{- end}}
{{- with .Operator.Image}}
  image: {{value .}}
{{- end}}
  manifests:
{{- range .Operator.Manifests}}
  - {{value .}}
{{- end}}
{{- with .Operator.Deployment}}
  deployment: {{value .}}
{{- end}}
{{- with .Operator.ServiceName}}
  serviceName: {{value .}}
{{- end}}
{{- with .Operator.Webhook.Annotation}}
  webhook:
    # The webhook adds this annotation to new objects. The operator is ready when a dry run adds it.
    annotation: {{value .}}
{{- end}}
{{- with .Operator.Embedded.Args}}
  embedded:
    # Extra arguments, after the arguments of the Deployment, if the operator runs as a process.
    args:
{{- range .}}
    - {{value .}}
{{- end}}
{{- end}}
sample:
  # The object whose trace the sandbox shows.
  manifests:
{{- range .Sample.Manifests}}
  - {{value .}}
{{- end}}
  condition: {{value .Sample.Condition}}
`))

func value(text string) (string, error) {
	data, err := yaml.Marshal(text)
	return strings.TrimSpace(string(data)), err
}

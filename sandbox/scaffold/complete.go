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

// complete reads the file as the sandbox will, which renders the manifests, and adds what those show to be needed.
func (r *reader) complete() error {
	manifests, err := r.render()
	if err != nil {
		r.Missing = err
		return r.write()
	}
	r.note("operator.deployment", manifests.Deployment.Namespace+"/"+manifests.Deployment.Name, "found in the manifests")
	r.embeddedArgs(manifests)
	if err := r.write(); err != nil {
		return err
	}
	if manifests, err = r.render(); err == nil {
		_, err = manifests.Process(project.Place{})
	}
	r.Missing = err
	return nil
}

// render reads the file as it is now.
func (r *reader) render() (*project.Manifests, error) {
	if err := r.write(); err != nil {
		return nil, err
	}
	p, err := project.Parse(filepath.Join(r.folder, "sandbox.yaml"), []byte(r.Text))
	if err != nil {
		return nil, err
	}
	return p.Render()
}

// told are flags by which a process must be told where to listen, if the manager's container does not name them: those that it names
// are changed anyway.
var told = []struct{ flag, value, why string }{
	{"health-probe-bind-address", "$(PROBE_ADDRESS)", "its usual port may be taken on this machine"},
	{"metrics-bind-address", "0", "nobody reads its metrics here"},
	{"webhook-port", "$(WEBHOOK_PORT)", "its usual port may be taken on this machine"},
	{"webhook-cert-path", "$(WEBHOOK_CERT_DIR)", "the certificate is in a folder of the sandbox's"},
	{"webhook-cert-dir", "$(WEBHOOK_CERT_DIR)", "the certificate is in a folder of the sandbox's"},
}

func (r *reader) embeddedArgs(m *project.Manifests) {
	container := m.Deployment.Spec.Template.Spec.Containers[m.Container]
	named := func(flag string) bool {
		return slices.ContainsFunc(slices.Concat(container.Command, container.Args), func(arg string) bool {
			name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			return name == flag
		})
	}
	for _, t := range told {
		if strings.HasPrefix(t.flag, "webhook-") && !m.HasWebhook() || !slices.Contains(r.source.flags, t.flag) || named(t.flag) {
			continue
		}
		arg := "--" + t.flag + "=" + t.value
		r.File.Operator.Embedded.Args = append(r.File.Operator.Embedded.Args, arg)
		r.note("operator.embedded.args", arg, "main.go has the flag, the Deployment does not name it, and %s", t.why)
	}
}

var text = template.Must(template.New("sandbox.yaml").Funcs(template.FuncMap{"value": value}).Parse(
	`# How the operator sandbox runs this operator; docs/sandbox-yaml.md in its repository tells all fields.
apiVersion: {{value .APIVersion}}
kind: {{value .Kind}}
operator:
  build:
    main: {{value .Operator.Build.Main}}
  manifests:
{{- range .Operator.Manifests}}
  - {{value .}}
{{- end}}
{{- with .Operator.ServiceName}}
  serviceName: {{value .}}
{{- end}}
{{- with .Operator.Webhook.Annotation}}
  webhook:
    # What it adds to new objects: the operator is ready when a dry run gets that.
    annotation: {{value .}}
{{- end}}
{{- with .Operator.Embedded.Args}}
  embedded:
    # Where it runs as a process, these follow the arguments of its Deployment.
    args:
{{- range .}}
    - {{value .}}
{{- end}}
{{- end}}
sample:
  # The object whose trace is shown.
  manifests:
{{- range .Sample.Manifests}}
  - {{value .}}
{{- end}}
  condition: {{value .Sample.Condition}}
`))

// write makes the file's text.
func (r *reader) write() error {
	var out bytes.Buffer
	if err := text.Execute(&out, r.File); err != nil {
		return fmt.Errorf("writing sandbox.yaml: %w", err)
	}
	r.Text = out.String()
	return nil
}

// value is a text as YAML has it.
func value(text string) (string, error) {
	data, err := yaml.Marshal(text)
	return strings.TrimSpace(string(data)), err
}

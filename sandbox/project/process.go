package project

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/operator-tracing/sandbox/sandbox/project/reference"
)

// Place describes the resources of a process on this machine.
type Place struct {
	// Folder is the absolute path of the process's own folder, which has its kubeconfig.
	Folder string
	// WebhookPort and ProbeAddress are free, for processes whose addresses are configurable.
	WebhookPort  int
	ProbeAddress string
	// WebhookClientCA is the file of the CA of the client certificate that the API server sends.
	WebhookClientCA string
	// Telemetry is the destination of spans.
	Telemetry Telemetry
	// Env are environment variables of the user, which override all others.
	Env map[string]string
}

// Process describes an operator as a process on this machine, derived from its Deployment.
type Process struct {
	// Namespace and Account identify the service account of the process.
	Namespace, Account string
	// Args are its arguments.
	Args []string
	// Env is its environment.
	Env []Variable
	// Folders must exist when the process starts.
	Folders []string
	// Secrets and ConfigMaps are names of objects by folder. They are copied to the folders before
	// the process starts.
	Secrets, ConfigMaps map[string]string
	// Probed is true if the process serves /readyz at Place.ProbeAddress.
	Probed bool
}

// temporary is the default folder of temporary files, in which controller-runtime expects its
// certificates. TMPDIR overrides it.
const temporary = "/tmp"

// Process returns the operator as a process. It returns an error if the operator uses features of
// Pods that a process cannot have.
func (m *Manifests) Process(place Place) (*Process, error) {
	p := &Process{Secrets: map[string]string{}, ConfigMaps: map[string]string{}}
	p.Namespace, p.Account = m.Account()
	mounts, err := m.mounts(place, p)
	err = errors.Join(m.checkProcess(), err)
	known := map[string]string{
		"NAMESPACE": p.Namespace, "SERVICE_ACCOUNT": p.Account, "PROBE_ADDRESS": place.ProbeAddress,
		"WEBHOOK_PORT": strconv.Itoa(place.WebhookPort), "WEBHOOK_CERT_DIR": "", "WEBHOOK_CLIENT_CA": place.WebhookClientCA,
	}
	if vm := m.certificateMount(); vm != nil {
		known["WEBHOOK_CERT_DIR"] = folderOf(place, *vm)
	}
	env, wrong := m.environment(place, p, mounts)
	if err := errors.Join(err, wrong); err != nil {
		return nil, err
	}
	p.Env = env
	for i, v := range p.Env {
		p.Env[i].Value = reference.Expand(v.Value, known)
		known[v.Name] = p.Env[i].Value
	}
	p.Probed = m.refersTo("PROBE_ADDRESS")
	for _, arg := range m.arguments() {
		p.Args = append(p.Args, reference.Expand(relocate(arg, mounts), known))
	}
	return p, nil
}

// Account returns the service account of the operator.
func (m *Manifests) Account() (namespace, name string) {
	return m.Deployment.Namespace, cmp.Or(m.Deployment.Spec.Template.Spec.ServiceAccountName, "default")
}

func (m *Manifests) cannot(format string, args ...any) error {
	return m.project.wrong("", fmt.Errorf("--cluster=embedded runs the operator as a process: %s; use --cluster=kind, or change the manifests", fmt.Sprintf(format, args...)))
}

func (m *Manifests) checkProcess() error {
	var wrong []error
	cannot := func(format string, args ...any) { wrong = append(wrong, m.cannot(format, args...)) }
	if m.project.File.Operator.Build == nil {
		cannot("it cannot run the image %s, only a program from operator.build", m.project.File.Operator.Image)
	}
	for _, obj := range m.Objects {
		switch obj.GetKind() {
		case "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod":
			if obj.GetName() != m.Deployment.Name || obj.GetNamespace() != m.Deployment.Namespace {
				cannot("it cannot run %s %s", obj.GetKind(), obj.GetName())
			}
		}
	}
	spec := m.Deployment.Spec.Template.Spec
	for _, c := range spec.InitContainers {
		cannot("it cannot run init container %s", c.Name)
	}
	for i, c := range spec.Containers {
		// kube-rbac-proxy only protects the metrics, which the process does not serve.
		if i != m.Container && c.Name != "kube-rbac-proxy" {
			cannot("it cannot run container %s", c.Name)
		}
	}
	if m.HasWebhook() && m.certificateMount() == nil {
		cannot("it requires a mounted Secret of a Certificate for the webhook")
	}
	return errors.Join(wrong...)
}

func (m *Manifests) container() corev1.Container {
	return m.Deployment.Spec.Template.Spec.Containers[m.Container]
}

// adjusted maps flags to their values for a process. Flags with an empty value are removed. The
// flags are from kubebuilder's main.go and controller-runtime.
var adjusted = map[string]string{
	"health-probe-bind-address": "$(PROBE_ADDRESS)", "health-probe-addr": "$(PROBE_ADDRESS)", "health-addr": "$(PROBE_ADDRESS)",
	"metrics-bind-address": "0", "metrics-addr": "0",
	"webhook-port": "$(WEBHOOK_PORT)", "webhook-bind-port": "$(WEBHOOK_PORT)",
	// A single process needs no leader election, and outside a Pod the namespace of its lease is
	// unknown. Some operators elect by default.
	"leader-elect": "false", "enable-leader-election": "false", "leader-election-namespace": "", "leader-election-id": "",
	// Metrics are disabled.
	"metrics-secure": "", "metrics-cert-path": "", "metrics-cert-name": "", "metrics-cert-key": "",
}

// switches are the boolean flags in adjusted, whose value is never the next argument.
var switches = []string{"leader-elect", "enable-leader-election", "metrics-secure"}

// arguments returns the arguments of the process, with unexpanded $(NAME) references.
func (m *Manifests) arguments() []string {
	c := m.container()
	given := c.Args
	if len(c.Command) > 1 {
		given = slices.Concat(c.Command[1:], c.Args)
	}
	var args []string
	for i := 0; i < len(given); i++ {
		name, _, joined := strings.Cut(given[i], "=")
		dashes := name[:len(name)-len(strings.TrimLeft(name, "-"))]
		value, known := adjusted[name[len(dashes):]]
		if dashes == "" || !known {
			args = append(args, given[i])
			continue
		}
		if value != "" {
			args = append(args, name+"="+value)
		}
		if !joined && !slices.Contains(switches, name[len(dashes):]) {
			i++ // Its value.
		}
	}
	return append(args, m.project.File.Operator.Embedded.Args...)
}

// refersTo reports whether the arguments contain $(NAME).
func (m *Manifests) refersTo(name string) bool {
	return slices.ContainsFunc(m.arguments(), func(arg string) bool { return slices.Contains(reference.Names(arg), name) })
}

// mount maps a folder in the Pod to a folder of the process.
type mount struct{ from, to string }

// mounts returns the folder of the process for each volume mount of the manager.
func (m *Manifests) mounts(place Place, p *Process) ([]mount, error) {
	var all []mount
	var wrong []error
	for _, vm := range m.container().VolumeMounts {
		folder := folderOf(place, vm)
		switch v, ok := m.volume(vm.Name); {
		case !ok || vm.SubPath != "":
			wrong = append(wrong, m.cannot("volume %s, mounted at %s, must be an emptyDir, a claim, or a whole Secret or ConfigMap of the manifests", vm.Name, vm.MountPath))
		case v.secret != "":
			p.Secrets[folder] = v.secret
		case v.configMap != "":
			p.ConfigMaps[folder] = v.configMap
		}
		p.Folders = append(p.Folders, folder)
		all = append(all, mount{path.Clean(vm.MountPath), folder})
	}
	// Longest first, because a folder can contain another one.
	slices.SortFunc(all, func(a, b mount) int { return len(b.from) - len(a.from) })
	return all, errors.Join(wrong...)
}

// folderOf returns the folder of the process for a volume mount. A folder below /tmp is moved below
// TMPDIR, where programs find it by default.
func folderOf(place Place, vm corev1.VolumeMount) string {
	if below, ok := strings.CutPrefix(path.Clean(vm.MountPath), temporary+"/"); ok {
		return filepath.Join(place.Folder, "tmp", below)
	}
	return filepath.Join(place.Folder, "volumes", vm.Name)
}

// relocate replaces a folder of the Pod with the folder of the process.
func relocate(text string, mounts []mount) string {
	for _, m := range mounts {
		before, after, found := strings.Cut(text, m.from)
		atStart := before == "" || strings.ContainsAny(before[len(before)-1:], "=,: ")
		atEnd := after == "" || strings.ContainsAny(after[:1], "/,: ")
		if found && atStart && atEnd {
			return before + m.to + after
		}
	}
	return text
}

// environment returns the variables of the manager. They override the defaults of the sandbox, and
// the variables of the user override all.
func (m *Manifests) environment(place Place, p *Process, mounts []mount) ([]Variable, error) {
	user := m.Env(place.Env)
	c := m.container()
	var env []Variable
	tmp, home := filepath.Join(place.Folder, "tmp"), filepath.Join(place.Folder, "home")
	p.Folders = append(p.Folders, tmp, home)
	for _, v := range append(place.Telemetry.Variables(m.ServiceName), Variable{Name: "TMPDIR", Value: tmp}, Variable{Name: "HOME", Value: home},
		Variable{Name: "KUBECONFIG", Value: filepath.Join(place.Folder, "kubeconfig")}) {
		env = setVariable(env, v)
	}
	var wrong []error
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil {
			if _, replaced := user[v.Name]; replaced {
				continue
			}
			var ok bool
			if value, ok = m.downward(v.ValueFrom, p); !ok {
				wrong = append(wrong, m.cannot("the value of variable %s is available only in a Pod; set it in operator.env", v.Name))
			}
		}
		env = setVariable(env, Variable{Name: v.Name, Value: relocate(value, mounts)})
	}
	if len(c.EnvFrom) > 0 {
		wrong = append(wrong, m.cannot("it does not support envFrom"))
	}
	for _, name := range slices.Sorted(maps.Keys(user)) {
		env = setVariable(env, Variable{Name: name, Value: user[name]})
	}
	return env, errors.Join(wrong...)
}

// downward returns the value of a Pod's field for a process. A label or annotation that the Pod does
// not have is empty, as in a Pod.
func (m *Manifests) downward(source *corev1.EnvVarSource, p *Process) (string, bool) {
	if source.FieldRef == nil {
		return "", false
	}
	template := m.Deployment.Spec.Template
	if match := keyedField.FindStringSubmatch(source.FieldRef.FieldPath); match != nil {
		return map[string]map[string]string{"labels": template.Labels, "annotations": template.Annotations}[match[1]][match[2]], true
	}
	value, ok := map[string]string{
		"metadata.name": m.Deployment.Name, "metadata.namespace": p.Namespace, "spec.serviceAccountName": p.Account,
		"status.hostIP": "127.0.0.1", "status.podIP": "127.0.0.1",
	}[source.FieldRef.FieldPath]
	return value, ok
}

// keyedField matches the path of one label or annotation.
var keyedField = regexp.MustCompile(`^metadata\.(labels|annotations)\['(.+)'\]$`)

// Env returns the manager's variables in sandbox.yaml, overridden by more.
func (m *Manifests) Env(more map[string]string) map[string]string {
	env := map[string]string{}
	maps.Copy(env, m.project.File.Operator.Env)
	maps.Copy(env, more)
	return env
}

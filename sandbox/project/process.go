package project

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Place is what a process of this machine gets.
type Place struct {
	// Folder is its own, absolute.
	Folder string
	// WebhookPort and ProbeAddress are free, for those that can be told where to listen.
	WebhookPort  int
	ProbeAddress string
	// Telemetry is where spans go.
	Telemetry Telemetry
	// Env is what the user says about its environment, over all else.
	Env map[string]string
}

// Process is an operator as a process of this machine: what its Deployment says, as far as that can be had without a Pod.
type Process struct {
	// Namespace and Account are the service account that it acts as.
	Namespace, Account string
	// Args are its arguments, without the one that names its kubeconfig.
	Args []string
	// Env is its environment.
	Env []Variable
	// Secrets are copied into folders before it starts, by folder; cert-manager makes them.
	Secrets map[string]string
	// Probed is whether it answers /readyz at Place.ProbeAddress.
	Probed bool
}

// temporary is where Go's programs keep temporary files unless TMPDIR says otherwise, controller-runtime its certificates.
const temporary = "/tmp"

// Process is the operator as a process, or an error that says what of it only a Pod can have.
func (m *Manifests) Process(place Place) (*Process, error) {
	if err := m.checkProcess(); err != nil {
		return nil, err
	}
	p := &Process{Secrets: map[string]string{}}
	p.Namespace, p.Account = m.Account()
	mounts, err := m.mounts(place, p)
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"NAMESPACE": p.Namespace, "SERVICE_ACCOUNT": p.Account, "PROBE_ADDRESS": place.ProbeAddress,
		"WEBHOOK_PORT": itoa(place.WebhookPort), "WEBHOOK_CERT_DIR": m.certificateFolder(place),
	}
	if p.Env, err = m.environment(place, p, mounts); err != nil {
		return nil, err
	}
	known := maps.Clone(values)
	for i, v := range p.Env {
		p.Env[i].Value = expand(v.Value, known)
		known[v.Name] = p.Env[i].Value
	}
	for _, arg := range m.arguments() {
		p.Probed = p.Probed || slices.Contains(references(arg), "PROBE_ADDRESS")
		p.Args = append(p.Args, expand(relocate(arg, mounts), known))
	}
	return p, nil
}

// Account is the service account that the operator acts as.
func (m *Manifests) Account() (namespace, name string) {
	if name = m.Deployment.Spec.Template.Spec.ServiceAccountName; name == "" {
		name = "default"
	}
	return m.Deployment.Namespace, name
}

// cannot is an error about what embedded can't do.
func (m *Manifests) cannot(format string, args ...any) error {
	return m.project.wrong("", fmt.Errorf("--cluster=embedded runs the operator as a process: %s; use --cluster=kind, or change that", fmt.Sprintf(format, args...)))
}

// checkProcess finds what only Pods can have.
func (m *Manifests) checkProcess() error {
	if m.project.File.Operator.Build == nil {
		return m.cannot("it can't run the image %s, only what operator.build builds", m.project.File.Operator.Image)
	}
	for _, obj := range m.Objects {
		switch obj.GetKind() {
		case "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod":
			if obj.GetName() != m.Deployment.Name || obj.GetNamespace() != m.Deployment.Namespace {
				return m.cannot("it can't run %s %s beside it", obj.GetKind(), obj.GetName())
			}
		}
	}
	spec := m.Deployment.Spec.Template.Spec
	if len(spec.InitContainers) > 0 {
		return m.cannot("init container %s has no place before it", spec.InitContainers[0].Name)
	}
	for i, c := range spec.Containers {
		// Its one work is to guard the metrics, which a process serves to nobody.
		if i != m.Container && c.Name != "kube-rbac-proxy" {
			return m.cannot("container %s has no place beside it", c.Name)
		}
	}
	if len(m.webhookServices()) > 0 && m.certificateMount() == nil {
		return m.cannot("it mounts no Secret of a cert-manager Certificate, from which its webhook could have its certificate")
	}
	return nil
}

// container is the manager's.
func (m *Manifests) container() corev1.Container {
	return m.Deployment.Spec.Template.Spec.Containers[m.Container]
}

// adjusted are flags that mean something else, or nothing, to a process: by name, the value; those without one are left out.
// They are those of kubebuilder's main.go and of controller-runtime's own.
var adjusted = map[string]string{
	"health-probe-bind-address": "$(PROBE_ADDRESS)", "health-probe-addr": "$(PROBE_ADDRESS)",
	"metrics-bind-address": "0", "metrics-addr": "0",
	"webhook-port": "$(WEBHOOK_PORT)", "webhook-bind-port": "$(WEBHOOK_PORT)",
	// One process has nobody to elect, and outside of a Pod a lease has no namespace.
	"leader-elect": "", "enable-leader-election": "", "leader-election-namespace": "", "leader-election-id": "",
	// Files for metrics that are off.
	"metrics-secure": "", "metrics-cert-path": "", "metrics-cert-name": "", "metrics-cert-key": "",
}

// switches are those of adjusted that take no value of their own in the next argument.
var switches = []string{"leader-elect", "enable-leader-election", "metrics-secure"}

// arguments are the process's, with $(…) in them.
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

// mount is a folder of the Pod's and what it is for the process.
type mount struct{ from, to string }

// mounts finds the process's place for each folder that the manager has from a volume.
func (m *Manifests) mounts(place Place, p *Process) ([]mount, error) {
	issued := m.certificates()
	volumes := map[string]corev1.VolumeSource{}
	for _, v := range m.Deployment.Spec.Template.Spec.Volumes {
		volumes[v.Name] = v.VolumeSource
	}
	var all []mount
	for _, vm := range m.container().VolumeMounts {
		source, folder := volumes[vm.Name], folderOf(place, vm)
		switch {
		case source.Secret != nil && issued[source.Secret.SecretName]:
			p.Secrets[folder] = source.Secret.SecretName
		case source.EmptyDir != nil:
		default:
			return nil, m.cannot("volume %s, mounted at %s, is neither an emptyDir nor a Secret that a cert-manager Certificate of its fills", vm.Name, vm.MountPath)
		}
		all = append(all, mount{path.Clean(vm.MountPath), folder})
	}
	// The longest first: one may be inside another.
	slices.SortFunc(all, func(a, b mount) int { return len(b.from) - len(a.from) })
	return all, nil
}

// folderOf is the process's place for a volume. What is below /tmp is found there by programs that are told nothing, if TMPDIR
// says where it is.
func folderOf(place Place, vm corev1.VolumeMount) string {
	if below, ok := strings.CutPrefix(path.Clean(vm.MountPath), temporary+"/"); ok {
		return filepath.Join(place.Folder, "tmp", below)
	}
	return filepath.Join(place.Folder, "volumes", vm.Name)
}

// relocate puts the process's folders in place of the Pod's.
func relocate(text string, mounts []mount) string {
	for _, m := range mounts {
		before, after, found := strings.Cut(text, m.from)
		begins := before == "" || strings.ContainsAny(before[len(before)-1:], "=,: ")
		ends := after == "" || strings.ContainsAny(after[:1], "/,: ")
		if found && begins && ends {
			return before + m.to + after
		}
	}
	return text
}

// environment is the manager's, with what the sandbox adds where it says nothing, and what the user says over all.
func (m *Manifests) environment(place Place, p *Process, mounts []mount) ([]Variable, error) {
	said := m.Env(place.Env)
	c := m.container()
	var env []Variable
	for _, v := range place.Telemetry.Variables(m.ServiceName) {
		env = setVariable(env, v)
	}
	env = setVariable(env, Variable{Name: "TMPDIR", Value: filepath.Join(place.Folder, "tmp")})
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil {
			if _, replaced := said[v.Name]; replaced {
				continue
			}
			var ok bool
			if value, ok = m.downward(v.ValueFrom, p); !ok {
				return nil, m.cannot("variable %s has its value from what only a Pod has; operator.env can set it", v.Name)
			}
		}
		env = setVariable(env, Variable{Name: v.Name, Value: relocate(value, mounts)})
	}
	if len(c.EnvFrom) > 0 {
		return nil, m.cannot("its variables come from a ConfigMap or a Secret (envFrom)")
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		env = setVariable(env, Variable{Name: name, Value: said[name]})
	}
	return env, nil
}

// downward is what a Pod's fields are for a process.
func (m *Manifests) downward(source *corev1.EnvVarSource, p *Process) (string, bool) {
	if source.FieldRef == nil {
		return "", false
	}
	value, ok := map[string]string{
		"metadata.name": m.Deployment.Name, "metadata.namespace": p.Namespace, "spec.serviceAccountName": p.Account,
		"status.hostIP": "127.0.0.1", "status.podIP": "127.0.0.1",
	}[source.FieldRef.FieldPath]
	return value, ok
}

// Env is what sandbox.yaml says about the manager's environment, and over that what more says.
func (m *Manifests) Env(more map[string]string) map[string]string {
	env := maps.Clone(m.project.File.Operator.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, more)
	return env
}

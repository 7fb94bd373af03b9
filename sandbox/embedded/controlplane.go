package embedded

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/file"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The ranges of kind clusters, so that both kinds of sandbox are alike.
const (
	serviceRange = "10.96.0.0/16"
	podRange     = "10.244.0.0/16"
)

// ControlPlane starts etcd, the API server, the controller manager and the scheduler, and waits
// until the API server is ready. paths has the paths of the programs, by name. It returns a description of the
// outcome.
func (c *Cluster) ControlPlane(ctx context.Context, paths map[string]string, report Report) (outcome string, err error) {
	isNew := c.isNew()
	started, emptied, err := c.startEtcd(ctx, paths[component.Etcd], report)
	if err != nil {
		return "", err
	}
	apiPatience := patience
	if started {
		apiPatience = reconnectPatience
	}
	restored := false
	if (isNew || emptied) && c.Restore != nil {
		etcd, err := c.Etcd()
		if err != nil {
			return "", err
		}
		restored = c.Restore(ctx, etcd)
	}
	for _, svc := range []service{
		{
			name: component.APIServer, spec: func() (process.Spec, error) { return c.apiServer(paths[component.APIServer]) },
			ready: c.apiServerReady, patience: apiPatience,
		},
		{name: component.ControllerManager, spec: func() (process.Spec, error) { return c.controllerManager(paths[component.ControllerManager]) }},
		{name: component.Scheduler, spec: func() (process.Spec, error) { return c.scheduler(paths[component.Scheduler]) }},
	} {
		svcStarted, err := c.start(ctx, svc, report)
		if err != nil {
			return "", err
		}
		started = started || svcStarted
	}
	if emptied {
		return "started empty: etcd cannot read its data, which was moved to " + c.aside, nil
	}
	if restored {
		return "started from a snapshot", nil
	}
	if started {
		return "started", nil
	}
	return "already up", nil
}

// apiServer returns the process of the API server. Its flags are like kubeadm's, as far as a server
// on loopback needs them.
func (c *Cluster) apiServer(program string) (process.Spec, error) {
	own, _ := c.ports()
	serving, _, err := c.authorities.cluster.Certificate(pki.Request{
		Name: "apiserver", CommonName: component.APIServer, Server: true,
		Hosts: []string{"localhost", "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
	})
	if err != nil {
		return process.Spec{}, state.Remedy(err)
	}
	etcd, err := c.etcdClient()
	if err != nil {
		return process.Spec{}, err
	}
	signing, public, _, err := c.store().SigningKey("service-account")
	if err != nil {
		return process.Spec{}, state.Remedy(err)
	}
	admission, revision, err := c.admission()
	if err != nil {
		return process.Spec{}, err
	}
	key, err := hashFile(public)
	if err != nil {
		return process.Spec{}, err
	}
	ca := c.authorities.cluster
	spec := process.Spec{
		Path: program,
		Args: []string{
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", own[component.APIServerPort]),
			"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", // Pods do not use it, and a loopback address is not a valid endpoint.
			"--tls-cert-file=" + serving.CertFile, "--tls-private-key-file=" + serving.KeyFile,
			"--client-ca-file=" + ca.CertFile, "--anonymous-auth=false", "--authorization-mode=Node,RBAC",
			"--etcd-servers=https://" + address(own[component.EtcdPort]), "--etcd-cafile=" + c.authorities.etcd.CertFile,
			"--etcd-certfile=" + etcd.CertFile, "--etcd-keyfile=" + etcd.KeyFile,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-signing-key-file=" + signing, "--service-account-key-file=" + public,
			"--service-cluster-ip-range=" + serviceRange, "--allow-privileged",
			"--enable-admission-plugins=NodeRestriction", "--admission-control-config-file=" + admission,
			"--profiling=false",
		},
		Revision: serving.Fingerprint() + etcd.Fingerprint() + ca.Fingerprint() + c.authorities.etcd.Fingerprint() + key + revision,
	}
	if err := c.traceAPIServer(&spec); err != nil {
		return process.Spec{}, err
	}
	return spec, nil
}

// StorageInputs returns the arguments of etcd and the API server, on which the objects depend that
// the API server creates for itself. They are independent of the sandbox's folder and ports.
func (c *Cluster) StorageInputs(paths map[string]string) ([]string, error) {
	etcd, err := c.etcd(paths[component.Etcd])
	if err != nil {
		return nil, err
	}
	server, err := c.apiServer(paths[component.APIServer])
	if err != nil {
		return nil, err
	}
	own, jaeger := c.ports()
	return snapshot.Neutral(slices.Concat([]string{etcd.Path, server.Path}, etcd.Args, server.Args, server.Env), c.dir.Path, own, jaeger), nil
}

// admission writes the configuration that makes the API server send a client certificate to
// webhooks. A webhook that listens on every address accepts only this client.
func (c *Cluster) admission() (path, revision string, err error) {
	folder, err := c.folder(component.APIServer)
	if err != nil {
		return "", "", err
	}
	pair, _, err := c.authorities.webhook.Certificate(pki.Request{Name: "apiserver-webhook-client", CommonName: component.APIServer, Client: true})
	if err != nil {
		return "", "", state.Remedy(err)
	}
	// The name of a user is the host of the webhooks that it is for; the star means all webhooks.
	// Server and CA are not used.
	users := filepath.Join(folder, "webhooks.kubeconfig")
	_, err = credentials.WriteKubeconfig(users, credentials.Kubeconfig{
		Server: "https://localhost", CAFile: c.authorities.webhook.CertFile, User: "*", CertFile: pair.CertFile, KeyFile: pair.KeyFile,
	})
	if err != nil {
		return "", "", state.Remedy(err)
	}
	plugins := ""
	for _, name := range []string{"MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"} {
		plugins += fmt.Sprintf(`
- name: %s
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: %q`, name, users)
	}
	path = filepath.Join(folder, "admission.yaml")
	content := "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:" + plugins + "\n"
	return path, pair.Fingerprint() + cache.Key([]byte(content)), write(path, content)
}

func (c *Cluster) apiServerReady(ctx context.Context) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("creating a client of the API server: %w", err)
	}
	return answers(ctx, client, config.Host+"/readyz")
}

func (c *Cluster) controllerManager(program string) (process.Spec, error) {
	kubeconfig, revision, err := c.clientKubeconfig(component.ControllerManager, "system:kube-controller-manager")
	if err != nil {
		return process.Spec{}, err
	}
	signing, public, _, err := c.store().SigningKey("service-account")
	if err != nil {
		return process.Spec{}, state.Remedy(err)
	}
	key, err := hashFile(public)
	if err != nil {
		return process.Spec{}, err
	}
	ca := c.authorities.cluster
	return process.Spec{
		Path: program,
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--secure-port=0", "--leader-elect=false", "--use-service-account-credentials",
			"--root-ca-file=" + ca.CertFile, "--service-account-private-key-file=" + signing,
			"--cluster-signing-cert-file=" + ca.CertFile, "--cluster-signing-key-file=" + ca.KeyFile,
			// It requests an account and a token for each controller before it starts any. With the
			// default of 20 requests per second this takes four seconds.
			"--kube-api-qps=200", "--kube-api-burst=400",
			"--cluster-cidr=" + podRange, "--service-cluster-ip-range=" + serviceRange, "--profiling=false",
		},
		Revision: revision + key,
	}, nil
}

func (c *Cluster) scheduler(program string) (process.Spec, error) {
	kubeconfig, revision, err := c.clientKubeconfig(component.Scheduler, "system:kube-scheduler")
	return process.Spec{
		Path: program,
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--secure-port=0", "--leader-elect=false", "--profiling=false",
			// With the default of 50 requests per second, thousands of Pods wait only for this limit.
			"--kube-api-qps=200", "--kube-api-burst=400",
		},
		Revision: revision,
	}, err
}

// answerLimit is the time limit of one readiness check.
const answerLimit = 2 * time.Second

func answers(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("requesting %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("requesting %s: %w", url, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("requesting %s: got status %s", url, response.Status)
	}
	return nil
}

// write writes a file with access only for its owner.
func write(path, content string) error {
	if err := file.Write(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("writing a configuration: %w", state.Remedy(err))
	}
	return nil
}

func hashFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("hashing a file: %w", err)
	}
	return cache.Key(data), nil
}

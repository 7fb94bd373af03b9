package embedded

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const (
	certManagerNamespace = "cert-manager"
	// nodeName is the name of the node in config/node.
	nodeName = "sandbox-node"
)

// Node starts kwok, which simulates the node and its Pods. Package manifest renders the Node object.
func (c *Cluster) Node(ctx context.Context, program string, report Report) error {
	_, err := c.start(ctx, service{name: component.Kwok, spec: func() (process.Spec, error) {
		// config/node binds the permissions of kwok to this user.
		kubeconfig, revision, err := c.clientKubeconfig(component.Kwok, "system:kwok")
		return process.Spec{Path: program, Args: []string{"--kubeconfig=" + kubeconfig, "--node=" + nodeName, "--pod-cidr=" + podRange}, Revision: revision}, err
	}}, report)
	return err
}

// CertManagerWebhookAddress returns the address of cert-manager's webhook for the API server, as
// host:port.
func (c *Cluster) CertManagerWebhookAddress() string {
	own, _ := c.ports()
	return fmt.Sprintf("localhost:%d", own.CertManagerHook)
}

// CertManager starts the programs of cert-manager. paths has their paths, by name. Their service
// accounts must exist.
func (c *Cluster) CertManager(ctx context.Context, paths map[string]string, report Report) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, svc := range []service{
		{
			name: component.CertManagerWebhook, spec: func() (process.Spec, error) { return c.certManagerWebhook(ctx, paths[component.CertManagerWebhook]) },
			ports: func(p *state.ComponentPorts) []*int { return []*int{&p.CertManagerHook} },
			ready: c.certManagerWebhookAnswers,
		},
		{
			name: component.CertManagerCAInjector, spec: func() (process.Spec, error) {
				return c.accountSpec(ctx, component.CertManagerCAInjector, certManagerNamespace, "cert-manager-cainjector", paths[component.CertManagerCAInjector],
					"--v=2", "--leader-elect=false", "--leader-election-namespace="+certManagerNamespace, "--metrics-listen-address=0")
			},
		},
		{
			name: component.CertManagerController, spec: func() (process.Spec, error) {
				own, _ := c.ports()
				return c.accountSpec(ctx, component.CertManagerController, certManagerNamespace, "cert-manager", paths[component.CertManagerController],
					"--v=2", "--leader-elect=false", "--leader-election-namespace="+certManagerNamespace, "--metrics-listen-address=0",
					"--cluster-resource-namespace="+certManagerNamespace, "--internal-healthz-listen-address="+address(own.CertManager))
			},
			ports: func(p *state.ComponentPorts) []*int { return []*int{&p.CertManager} },
			ready: func(ctx context.Context) error {
				own, _ := c.ports()
				return answers(ctx, http.DefaultClient, "http://"+address(own.CertManager)+"/livez")
			},
		},
	} {
		group.Go(func() error {
			_, err := c.start(ctx, svc, report)
			return err
		})
	}
	return group.Wait()
}

// certManagerWebhookAnswers only opens a connection. Other code checks through the API server that
// the webhook admits objects.
func (c *Cluster) certManagerWebhookAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // No data is exchanged.
	connection, err := dialer.DialContext(ctx, "tcp", c.CertManagerWebhookAddress())
	if err != nil {
		return fmt.Errorf("connecting to cert-manager's webhook: %w", err)
	}
	return connection.Close()
}

// certManagerWebhook returns the process of the webhook. It listens on every address, without an
// option, and accepts only the API server.
func (c *Cluster) certManagerWebhook(ctx context.Context, program string) (process.Spec, error) {
	own, _ := c.ports()
	spec, err := c.accountSpec(ctx, component.CertManagerWebhook, certManagerNamespace, "cert-manager-webhook", program,
		"--v=2", fmt.Sprintf("--secure-port=%d", own.CertManagerHook), "--healthz-port=0",
		"--dynamic-serving-ca-secret-namespace="+certManagerNamespace, "--dynamic-serving-ca-secret-name=cert-manager-webhook-ca",
		"--dynamic-serving-dns-names=localhost", "--metrics-listen-address=0",
		"--enable-client-verification", "--client-ca-path="+c.authorities.webhook.CertFile, "--client-subject-names="+component.APIServer)
	spec.Revision += c.authorities.webhook.Fingerprint()
	return spec, err
}

// accountSpec returns the process of a program that acts as a service account, with a token.
func (c *Cluster) accountSpec(ctx context.Context, name, namespace, account, program string, args ...string) (process.Spec, error) {
	return c.specAs(name, program, args, func(issuer *credentials.Issuer, folder string) (credentials.Kubeconfig, string, error) {
		token := filepath.Join(folder, "token")
		if _, err := issuer.Token(ctx, token, namespace, account); err != nil {
			return credentials.Kubeconfig{}, "", state.Remedy(err)
		}
		// client-go reads the file again once per minute. After an invalid token, the process
		// should not wait for that.
		revision, err := hashFile(token)
		return credentials.Kubeconfig{User: account, TokenFile: token}, revision, err
	})
}

// specAs returns the process of a program with the credentials that issue returns. It restarts when
// their revision changes.
func (c *Cluster) specAs(name, program string, args []string,
	issue func(issuer *credentials.Issuer, folder string) (user credentials.Kubeconfig, revision string, err error),
) (process.Spec, error) {
	folder, err := c.folder(name)
	if err != nil {
		return process.Spec{}, err
	}
	config, err := c.RESTConfig()
	if err != nil {
		return process.Spec{}, err
	}
	issuer, err := credentials.NewIssuer(config)
	if err != nil {
		return process.Spec{}, err
	}
	user, revision, err := issue(issuer, folder)
	if err != nil {
		return process.Spec{}, err
	}
	kubeconfig, err := c.kubeconfig(name, user)
	return process.Spec{
		Path: program, Args: append([]string{"--kubeconfig=" + kubeconfig}, args...), Revision: c.serverRevision() + revision,
	}, err
}

func (c *Cluster) clientset() (*kubernetes.Clientset, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("creating a client of the API server: %w", err)
	}
	return client, nil
}

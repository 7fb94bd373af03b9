package embedded

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// nodeName is the name of the node in config/node.
const nodeName = "sandbox-node"

// Node starts kwok, which simulates the node and its Pods. Package manifest renders the Node object.
func (c *Cluster) Node(ctx context.Context, program string, report Report) error {
	_, err := c.start(ctx, service{name: component.Kwok, spec: func() (process.Spec, error) {
		// config/node binds the permissions of kwok to this user.
		kubeconfig, revision, err := c.clientKubeconfig(component.Kwok, "system:kwok")
		return process.Spec{Path: program, Args: []string{"--kubeconfig=" + kubeconfig, "--node=" + nodeName, "--pod-cidr=" + podRange}, Revision: revision}, err
	}}, report)
	return err
}

// WebhookAddress returns the address of a component's webhooks for the API server, as host:port. It
// is empty if the component has none.
func (c *Cluster) WebhookAddress(row component.Component) string {
	name := row.Webhook()
	if name == "" {
		return ""
	}
	own, _ := c.ports()
	return fmt.Sprintf("localhost:%d", own[name])
}

// Programs starts the programs of a component as its row describes them, and waits until they are
// ready. paths has their paths, by name. Their service accounts must exist.
func (c *Cluster) Programs(ctx context.Context, row component.Component, paths map[string]string, report Report) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range row.Main() {
		group.Go(func() error {
			_, err := c.start(ctx, service{
				name:  p.Name,
				spec:  func() (process.Spec, error) { return c.programSpec(ctx, row.Namespace, p, paths[p.Name]) },
				ready: func(ctx context.Context) error { return c.programAnswers(ctx, p) },
			}, report)
			return err
		})
	}
	return group.Wait()
}

func (c *Cluster) programSpec(ctx context.Context, namespace string, p component.Program, path string) (process.Spec, error) {
	args := []string{"--kubeconfig=" + c.kubeconfigOf(p.Name)}
	for _, arg := range p.Args {
		args = append(args, c.expand(arg))
	}
	spec, err := c.accountSpec(ctx, p.Name, namespace, p.Account, path, args...)
	if slices.ContainsFunc(p.Listens, func(l component.Listener) bool { return l.Webhook }) {
		spec.Revision += c.authorities.webhook.Fingerprint()
	}
	return spec, err
}

// expand replaces the names in an argument or address of the table.
func (c *Cluster) expand(text string) string {
	own, _ := c.ports()
	return os.Expand(text, func(name string) string {
		if name == component.WebhookClientCA {
			return c.authorities.webhook.CertFile
		}
		return strconv.Itoa(own[name])
	})
}

// programAnswers checks a program once at its address. It sends no data to a tls address: other code
// checks through the API server that the component works.
func (c *Cluster) programAnswers(ctx context.Context, p component.Program) error {
	url := c.expand(p.Answers)
	host, isTLS := strings.CutPrefix(url, "tls://")
	switch {
	case url == "":
		return nil
	case !isTLS:
		return answers(ctx, http.DefaultClient, url)
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // No data is exchanged.
	connection, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", p.Name, err)
	}
	return connection.Close()
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

// specAs returns the process of a program, and writes its kubeconfig with the credentials that issue
// returns. It restarts when their revision changes.
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
	_, err = c.kubeconfig(name, user)
	return process.Spec{Path: program, Args: args, Revision: c.serverRevision() + revision}, err
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

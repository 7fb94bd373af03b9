package embedded

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Prepare stops processes without a record, chooses ports, and creates certificate authorities and
// the kubeconfig of the administrator. It keeps ports that were chosen before, unless the user
// requests other ports for Jaeger.
func (c *Cluster) Prepare(ctx context.Context, wanted component.Ports, report Report) error {
	if err := c.EndStrays(ctx); err != nil {
		return err
	}
	c.wanted = wanted
	if err := c.choosePorts(ctx, wanted); err != nil {
		return err
	}
	renewed, err := c.ensureAuthorities()
	if err != nil {
		return state.Remedy(err)
	}
	if renewed {
		report.Say("new certificate authorities")
	}
	return c.writeAdmin()
}

// choosePorts chooses the missing ports. If the user requests other ports for Jaeger, it chooses
// all ports of Jaeger again. It stops Jaeger first, so that Jaeger's own ports are free.
func (c *Cluster) choosePorts(ctx context.Context, wanted component.Ports) error {
	own, jaeger := c.ports()
	if !jaeger.Chosen() || !wanted.SatisfiedBy(jaeger) {
		if err := c.table.Stop(ctx, component.Jaeger); err != nil {
			return err
		}
		chosen, err := port.Choose(ctx, component.AllPorts(), wanted)
		if err != nil {
			return err
		}
		jaeger = chosen
	}
	if c.OperatorPort != 0 {
		own = own.With(component.OperatorHook, c.OperatorPort)
	}
	for _, program := range component.ProgramsOn(component.Embedded) {
		for _, p := range program.Listens {
			if own[p.Name] != 0 {
				continue
			}
			free, err := port.Unused(ctx, own, jaeger)
			if err != nil {
				return err
			}
			own = own.With(p.Name, free)
		}
	}
	return c.update(func(r *state.Record) { r.ComponentPorts, r.Ports = own, jaeger })
}

func (c *Cluster) store() pki.Store { return pki.Store{Dir: c.dir.PKI()} }

// ensureAuthorities creates or reads the authorities, and reports whether any is new.
func (c *Cluster) ensureAuthorities() (bool, error) {
	renewed := false
	for _, a := range []struct {
		name      string
		authority **pki.Authority
	}{{"ca", &c.authorities.cluster}, {"etcd-ca", &c.authorities.etcd}, {"webhook-ca", &c.authorities.webhook}} {
		authority, created, err := c.store().Authority(a.name)
		if err != nil {
			return false, err
		}
		*a.authority, renewed = authority, renewed || created
	}
	return renewed, nil
}

// writeAdmin writes the kubeconfig for the user. It contains all credentials, so that the user can
// copy it.
func (c *Cluster) writeAdmin() error {
	own, _ := c.ports()
	pair, _, err := c.authorities.cluster.Certificate(pki.Request{
		Name: "admin", CommonName: "sandbox-admin", Organizations: []string{"system:masters"}, Client: true,
	})
	if err != nil {
		return state.Remedy(err)
	}
	_, err = credentials.WriteKubeconfig(c.dir.Kubeconfig(), credentials.Kubeconfig{
		Server: "https://" + address(own[component.APIServerPort]), User: "sandbox-admin", CAFile: c.authorities.cluster.CertFile,
		CertFile: pair.CertFile, KeyFile: pair.KeyFile, Inline: true,
	})
	return state.Remedy(err)
}

// clientKubeconfig writes the kubeconfig of a process with a client certificate. It returns the
// path, and a revision that changes if the process must restart.
func (c *Cluster) clientKubeconfig(name, user string, groups ...string) (path, revision string, err error) {
	pair, _, err := c.authorities.cluster.Certificate(pki.Request{Name: name, CommonName: user, Organizations: groups, Client: true})
	if err != nil {
		return "", "", state.Remedy(err)
	}
	path, err = c.kubeconfig(name, credentials.Kubeconfig{User: user, CertFile: pair.CertFile, KeyFile: pair.KeyFile})
	return path, pair.Fingerprint() + c.serverRevision(), err
}

// serverRevision returns a value that changes with the address and authority of the API server.
// Clients read both when they start.
func (c *Cluster) serverRevision() string {
	own, _ := c.ports()
	return c.authorities.cluster.Fingerprint() + ":" + strconv.Itoa(own[component.APIServerPort]) + ":"
}

func (c *Cluster) kubeconfigOf(name string) string {
	return filepath.Join(c.dir.Components(), name, "kubeconfig")
}

// kubeconfig writes the kubeconfig of a process, which acts as user.
func (c *Cluster) kubeconfig(name string, user credentials.Kubeconfig) (string, error) {
	if _, err := c.folder(name); err != nil {
		return "", err
	}
	own, _ := c.ports()
	user.Server, user.CAFile = "https://"+address(own[component.APIServerPort]), c.authorities.cluster.CertFile
	path := c.kubeconfigOf(name)
	if _, err := credentials.WriteKubeconfig(path, user); err != nil {
		return "", state.Remedy(err)
	}
	return path, nil
}

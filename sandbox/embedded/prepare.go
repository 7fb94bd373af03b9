package embedded

import (
	"context"
	"errors"
	"strconv"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Prepare ends processes that no record knows, chooses ports, and makes certificate authorities and the administrator's
// kubeconfig. Ports that are chosen already stay, unless the user now asks for others of Jaeger's.
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
		report.say("new certificate authorities")
	}
	return c.writeAdmin()
}

// choosePorts fills in what is missing. Jaeger's are chosen anew as a whole when the user asks for others than it has: it is
// ended first, for its own must not count as taken.
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
		own.OperatorHook = c.OperatorPort
	}
	for _, p := range allPorts(&own) {
		if *p != 0 {
			continue
		}
		free, err := unused(ctx, own, jaeger)
		if err != nil {
			return err
		}
		*p = free
	}
	return c.update(func(r *state.Record) { r.ComponentPorts, r.Ports = own, jaeger })
}

// allPorts points at every port of an embedded cluster's own.
func allPorts(p *state.ComponentPorts) []*int {
	return []*int{
		&p.Etcd, &p.EtcdPeer, &p.APIServer, &p.CertManager, &p.CertManagerHook,
		&p.OperatorHook, &p.OperatorHealth, &p.JaegerHealth,
	}
}

// unused is a free port that the sandbox has not chosen for something else.
func unused(ctx context.Context, own state.ComponentPorts, jaeger component.Ports) (int, error) {
	chosen := map[int]bool{}
	for _, number := range jaeger {
		chosen[number] = true
	}
	for _, p := range allPorts(&own) {
		chosen[*p] = true
	}
	const tries = 100 // The system gives them at random: two are enough.
	for range tries {
		free, err := port.Free(ctx, 0)
		if err != nil || !chosen[free] {
			return free, err
		}
	}
	return 0, errors.New("choosing a port on 127.0.0.1: the system keeps giving the same ones")
}

// store is the folder of certificates.
func (c *Cluster) store() pki.Store { return pki.Store{Dir: c.dir.PKI()} }

// ensureAuthorities makes the authorities, or reads them, and tells whether any is new.
func (c *Cluster) ensureAuthorities() (bool, error) {
	renewed := false
	for _, a := range []struct {
		name      string
		authority **pki.Authority
	}{{"ca", &c.authorities.cluster}, {"etcd-ca", &c.authorities.etcd}, {"webhook-ca", &c.authorities.webhook}} {
		authority, made, err := c.store().Authority(a.name)
		if err != nil {
			return false, err
		}
		*a.authority, renewed = authority, renewed || made
	}
	return renewed, nil
}

// writeAdmin writes the kubeconfig for the user, whole in itself, so that it can be copied.
func (c *Cluster) writeAdmin() error {
	own, _ := c.ports()
	pair, _, err := c.authorities.cluster.Certificate(pki.Request{
		Name: "admin", CommonName: "sandbox-admin", Organizations: []string{"system:masters"}, Client: true,
	})
	if err != nil {
		return state.Remedy(err)
	}
	_, err = credentials.WriteKubeconfig(c.dir.Kubeconfig(), credentials.Kubeconfig{
		Server: "https://" + address(own.APIServer), User: "sandbox-admin", CAFile: c.authorities.cluster.CertFile,
		CertFile: pair.CertFile, KeyFile: pair.KeyFile, Inline: true,
	})
	return state.Remedy(err)
}

// clientKubeconfig writes the kubeconfig of a process that proves itself by a certificate, and returns its path with what to
// start the process anew for.
func (c *Cluster) clientKubeconfig(component, user string, groups ...string) (path, revision string, err error) {
	pair, _, err := c.authorities.cluster.Certificate(pki.Request{Name: component, CommonName: user, Organizations: groups, Client: true})
	if err != nil {
		return "", "", state.Remedy(err)
	}
	path, err = c.kubeconfig(component, credentials.Kubeconfig{User: user, CertFile: pair.CertFile, KeyFile: pair.KeyFile})
	return path, pair.Fingerprint() + c.serverRevision(), err
}

// serverRevision changes with the API server's address and authority, which its clients read when they start.
func (c *Cluster) serverRevision() string {
	own, _ := c.ports()
	return c.authorities.cluster.Fingerprint() + ":" + strconv.Itoa(own.APIServer) + ":"
}

// kubeconfig writes the kubeconfig of a process: the given user at the cluster's API server.
func (c *Cluster) kubeconfig(component string, user credentials.Kubeconfig) (string, error) {
	folder, err := c.folder(component)
	if err != nil {
		return "", err
	}
	own, _ := c.ports()
	user.Server, user.CAFile = "https://"+address(own.APIServer), c.authorities.cluster.CertFile
	path := folder + "/kubeconfig"
	if _, err := credentials.WriteKubeconfig(path, user); err != nil {
		return "", state.Remedy(err)
	}
	return path, nil
}

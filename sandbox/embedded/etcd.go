package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// tailLines is how much of a log is looked at for why its process died: the reason of a panic stands far above its end.
const tailLines = 100

// etcdPatience is how long etcd may take to be ready with data that is there. With a log that lost its end it never is, and
// says nothing.
const etcdPatience = time.Minute

// unreadable are words by which etcd says, when it dies, that it can't read its data: of its log (wal), its snapshots and its
// database.
var unreadable = []string{"panic:", `"level":"panic"`, "wal", "snap", "database", "corrupt", "crc", "freelist", "backend", "unmarshal", "unexpected EOF", "SIGBUS"}

// startEtcd starts etcd. Data that it can't read is put aside, and the cluster begins empty: the sandbox makes anew what is
// its own. Data is given up only for a reason: an etcd that was killed is started once more first.
func (c *Cluster) startEtcd(ctx context.Context, program string, report Report) (started, emptied bool, err error) {
	etcd := service{
		name: component.Etcd, spec: func() (process.Spec, error) { return c.etcd(program) },
		ports: func(p *state.ComponentPorts) []*int { return []*int{&p.Etcd, &p.EtcdPeer} },
		ready: c.etcdReady,
	}
	entries, readErr := os.ReadDir(c.etcdData())
	if readErr != nil || len(entries) == 0 {
		if err := c.endAll(ctx, component.Jaeger); err != nil { // See below. Nothing runs where the sandbox is new.
			return false, false, err
		}
		started, err = c.start(ctx, etcd, report)
		return started, false, err
	}
	for range 2 {
		patient, cancel := context.WithTimeout(ctx, etcdPatience)
		started, err = c.start(patient, etcd, report)
		hangs := err != nil && patient.Err() != nil && ctx.Err() == nil
		cancel()
		var died *diedError
		switch {
		case err == nil:
			return started, false, nil
		case hangs:
			return c.beginEmpty(ctx, etcd, report)
		case !errors.As(err, &died) || died.remedy != "":
			return started, false, err
		}
	}
	if tail := c.table.Tail(component.Etcd, tailLines); !slices.ContainsFunc(unreadable, func(words string) bool { return strings.Contains(tail, words) }) {
		return started, false, fmt.Errorf("%w; if nothing else helps, `sandbox down` makes room for a new cluster", err)
	}
	return c.beginEmpty(ctx, etcd, report)
}

// beginEmpty puts etcd's data aside, beside what was put aside before, and starts it without.
func (c *Cluster) beginEmpty(ctx context.Context, etcd service, report Report) (started, emptied bool, err error) {
	report.say("etcd can't read its data: putting it aside and beginning empty")
	// What the others have in memory is of a cluster that is no more. Jaeger has none of it, and may just be starting.
	if err := c.endAll(ctx, component.Jaeger); err != nil {
		return false, false, err
	}
	c.aside = c.etcdData() + ".broken-" + time.Now().UTC().Format("20060102T150405.000")
	if err := os.Rename(c.etcdData(), c.aside); err != nil {
		return false, false, fmt.Errorf("putting etcd's data aside: %w", state.Remedy(err))
	}
	started, err = c.start(ctx, etcd, report)
	return started, true, err
}

func (c *Cluster) etcdData() string { return c.dir.Etcd() }

// etcd does without fsync, as the node of a kind sandbox does: a crash of the machine may cost the newest objects.
func (c *Cluster) etcd(program string) (process.Spec, error) {
	own, _ := c.ports()
	server, _, err := c.authorities.etcd.Certificate(pki.Request{
		Name: "etcd", CommonName: "etcd", Hosts: []string{"localhost", "127.0.0.1"}, Server: true, Client: true,
	})
	if err != nil {
		return process.Spec{}, state.Remedy(err)
	}
	client, peer, ca := "https://"+address(own.Etcd), "https://"+address(own.EtcdPeer), c.authorities.etcd.CertFile
	spec := process.Spec{
		Path: program,
		Args: []string{
			"--name=sandbox", "--data-dir=" + c.etcdData(), "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--cert-file=" + server.CertFile, "--key-file=" + server.KeyFile, "--trusted-ca-file=" + ca, "--client-cert-auth",
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=sandbox=" + peer,
			"--peer-cert-file=" + server.CertFile, "--peer-key-file=" + server.KeyFile, "--peer-trusted-ca-file=" + ca, "--peer-client-cert-auth",
		},
		Revision: server.Fingerprint() + c.authorities.etcd.Fingerprint(),
	}
	c.traceEtcd(&spec)
	return spec, nil
}

// etcdClient is the API server's certificate towards etcd.
func (c *Cluster) etcdClient() (*pki.Pair, error) {
	pair, _, err := c.authorities.etcd.Certificate(pki.Request{Name: "apiserver-etcd-client", CommonName: component.APIServer, Client: true})
	return pair, state.Remedy(err)
}

func (c *Cluster) etcdReady(ctx context.Context) error {
	own, _ := c.ports()
	pair, err := c.etcdClient()
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{
		CAFile: c.authorities.etcd.CertFile, CertFile: pair.CertFile, KeyFile: pair.KeyFile,
	}})
	if err != nil {
		return fmt.Errorf("making a client of etcd: %w", err)
	}
	return answers(ctx, client, "https://"+address(own.Etcd)+"/health")
}

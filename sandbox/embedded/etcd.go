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

	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// tailLines is the number of log lines that are searched for the reason of a process's exit. The
// message of a panic is far above its end.
const tailLines = 100

// etcdPatience is the time limit for etcd to become ready with existing data. With a truncated
// write-ahead log it never becomes ready, and logs no error.
const etcdPatience = time.Minute

// unreadable are words in etcd's last messages if it cannot read its data: the write-ahead log
// (wal), the snapshots or the database.
var unreadable = []string{"panic:", `"level":"panic"`, "wal", "snap", "database", "corrupt", "crc", "freelist", "backend", "unmarshal", "unexpected EOF", "SIGBUS"}

// startEtcd starts etcd. If etcd cannot read its data, startEtcd moves the data aside and the
// cluster starts empty; the sandbox installs its objects again. An etcd that was killed gets a
// second attempt with its data.
func (c *Cluster) startEtcd(ctx context.Context, program string, report Report) (started, emptied bool, err error) {
	etcd := service{
		name: component.Etcd, spec: func() (process.Spec, error) { return c.etcd(program) },
		ready: c.etcdReady,
	}
	if c.isNew() {
		if err := c.endClients(ctx); err != nil { // In a new sandbox no process runs.
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
		var died *cause.Exit
		switch {
		case err == nil:
			return started, false, nil
		case hangs:
			return c.startEmpty(ctx, etcd, report)
		case !errors.As(err, &died) || died.Remedy != "":
			return started, false, err
		}
	}
	if tail := c.table.Tail(component.Etcd, tailLines); !slices.ContainsFunc(unreadable, func(words string) bool { return strings.Contains(tail, words) }) {
		return started, false, fmt.Errorf("%w; as a last resort, run %s and create a new cluster", err, hint.Run("down"))
	}
	return c.startEmpty(ctx, etcd, report)
}

func (c *Cluster) isNew() bool {
	entries, err := os.ReadDir(c.dir.Etcd())
	return err != nil || len(entries) == 0
}

// endClients stops the processes that cache objects of the cluster, before etcd starts without them.
// Jaeger does not, and may be starting at the moment.
func (c *Cluster) endClients(ctx context.Context) error {
	return errors.Join(c.endAll(ctx, component.Jaeger), c.table.Stop(ctx, companion.Name))
}

// startEmpty moves the data of etcd aside and starts etcd without data. It keeps data that was
// moved aside before.
func (c *Cluster) startEmpty(ctx context.Context, etcd service, report Report) (started, emptied bool, err error) {
	report.Say("etcd cannot read its data: moving it aside and starting empty")
	if err := c.endClients(ctx); err != nil {
		return false, false, err
	}
	c.aside = c.dir.Etcd() + ".broken-" + time.Now().UTC().Format("20060102T150405.000")
	if err := os.Rename(c.dir.Etcd(), c.aside); err != nil {
		return false, false, fmt.Errorf("moving the data of etcd aside: %w", state.Remedy(err))
	}
	started, err = c.start(ctx, etcd, report)
	return started, true, err
}

// etcd returns the process of etcd. It runs without fsync, as in a kind sandbox: a crash of the
// machine may lose the newest objects.
func (c *Cluster) etcd(program string) (process.Spec, error) {
	own, _ := c.ports()
	server, _, err := c.authorities.etcd.Certificate(pki.Request{
		Name: "etcd", CommonName: "etcd", Hosts: []string{"localhost", "127.0.0.1"}, Server: true, Client: true,
	})
	if err != nil {
		return process.Spec{}, state.Remedy(err)
	}
	client, peer, ca := "https://"+address(own[component.EtcdPort]), "https://"+address(own[component.EtcdPeerPort]), c.authorities.etcd.CertFile
	spec := process.Spec{
		Path: program,
		Args: []string{
			"--name=sandbox", "--data-dir=" + c.dir.Etcd(), "--unsafe-no-fsync", "--log-level=warn",
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

func (c *Cluster) etcdClient() (*pki.Pair, error) {
	pair, _, err := c.authorities.etcd.Certificate(pki.Request{Name: "apiserver-etcd-client", CommonName: component.APIServer, Client: true})
	return pair, state.Remedy(err)
}

func (c *Cluster) etcdReady(ctx context.Context) error {
	etcd, err := c.Etcd()
	if err != nil {
		return err
	}
	return answers(ctx, etcd.Client, etcd.URL+"/health")
}

// Etcd returns etcd as the API server reaches it.
func (c *Cluster) Etcd() (snapshot.Etcd, error) {
	if c.authorities.etcd == nil { // This command did not prepare an up.
		if _, err := c.ensureAuthorities(); err != nil {
			return snapshot.Etcd{}, state.Remedy(err)
		}
	}
	own, _ := c.ports()
	pair, err := c.etcdClient()
	if err != nil {
		return snapshot.Etcd{}, err
	}
	client, err := rest.HTTPClientFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{
		CAFile: c.authorities.etcd.CertFile, CertFile: pair.CertFile, KeyFile: pair.KeyFile,
	}})
	if err != nil {
		return snapshot.Etcd{}, fmt.Errorf("creating a client of etcd: %w", err)
	}
	return snapshot.Etcd{Client: client, URL: "https://" + address(own[component.EtcdPort])}, nil
}

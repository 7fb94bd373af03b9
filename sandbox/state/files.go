package state

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

const (
	lockFile   = "lock"
	recordFile = "state.json"
)

// Kubeconfig is the path of the sandbox's own kubeconfig.
func (d Dir) Kubeconfig() string { return d.file("kubeconfig") }

// Owner is the path of the file that marks a cluster as made by this sandbox: it is mounted into the node.
func (d Dir) Owner() string { return d.file("owner") }

// Scheduler is the path of the configuration of the scheduler: it is mounted into the node.
func (d Dir) Scheduler() string { return d.file("scheduler.yaml") }

// ContainersConf is the path of the containers.conf that podman is given on hosts that need one.
func (d Dir) ContainersConf() string { return d.file("containers.conf") }

// Subject is the path of the file that tells what the sandbox runs.
func (d Dir) Subject() string { return d.file("subject.json") }

// KindLogs is the folder for the logs of a cluster that could not be made.
func (d Dir) KindLogs() string { return d.file("kind-logs") }

// Diagnostics is the folder of what failed commands wrote down, each in a folder of its own.
func (d Dir) Diagnostics() string { return d.file("diagnostics") }

// Clients is the folder of certificates of users whose trace contexts the API server continues.
func (d Dir) Clients() string { return d.file("client") }

// Tracing is the folder of the files by which the programs of kind's node send spans: it is mounted into the node.
func (d Dir) Tracing() string { return d.file("tracing") }

// Records is the folder of what is known of the processes of an embedded cluster.
func (d Dir) Records() string { return d.file("run") }

// Logs is the folder of what the processes of an embedded cluster write.
func (d Dir) Logs() string { return d.file("logs") }

// Components is the folder in which each process of an embedded cluster has a folder of its own.
func (d Dir) Components() string { return d.file("components") }

// Etcd is the folder of the data of an embedded cluster.
func (d Dir) Etcd() string { return d.file("etcd") }

// PKI is the folder of the keys and certificates of an embedded cluster.
func (d Dir) PKI() string { return d.file("pki") }

// Probe is the path of a file that is written only to learn whether the folder takes one.
func (d Dir) Probe() string { return d.file("probe") }

// Secrets are the files and folders that hold keys and tokens.
func (d Dir) Secrets() []string {
	return []string{d.Kubeconfig(), d.PKI(), d.Components(), d.Clients()}
}

func (d Dir) file(name string) string { return filepath.Join(d.Path, name) }

// contents are all files and folders that a sandbox has. What [Dir.used] looks for comes last.
func (d Dir) contents() []string {
	record := d.file(recordFile)
	return []string{
		d.Etcd(), d.Components(), d.Logs(), d.Records(), d.PKI(), d.Clients(), d.Tracing(), d.Diagnostics(), d.KindLogs(), d.Probe(),
		d.Subject(), d.Subject() + ".new", d.ContainersConf(), d.Owner(), d.Scheduler(), d.Kubeconfig(), d.Kubeconfig() + ".lock", d.Kubeconfig() + ".new",
		record + ".new", record, d.file(lockFile),
	}
}

// others are the names of what is in the folder and not a sandbox's, sorted.
func (d Dir) others() ([]string, error) {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !slices.Contains(d.contents(), d.file(entry.Name())) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Remove deletes what a sandbox has in the folder, and the folder. What else somebody put there is left, and named.
func (d Dir) Remove() (left []string, err error) {
	for _, path := range d.contents() {
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("removing the sandbox's state: %w", err)
		}
	}
	left, err = d.others()
	if err == nil && len(left) == 0 {
		err = os.Remove(d.Path)
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("removing the state folder: %w", err)
	}
	return left, nil
}

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

// Kubeconfig returns the path of the sandbox's own kubeconfig.
func (d Dir) Kubeconfig() string { return d.file("kubeconfig") }

// Owner returns the path of the file that marks a cluster as created by this sandbox. It is mounted
// into the node.
func (d Dir) Owner() string { return d.file("owner") }

// Scheduler returns the path of the scheduler's configuration. It is mounted into the node.
func (d Dir) Scheduler() string { return d.file("scheduler.yaml") }

// ContainersConf returns the path of the containers.conf for podman, on hosts that need one.
func (d Dir) ContainersConf() string { return d.file("containers.conf") }

// Subject returns the path of the file that describes the operator in the sandbox.
func (d Dir) Subject() string { return d.file("subject.json") }

// KindLogs returns the folder for the logs of a cluster that could not be created.
func (d Dir) KindLogs() string { return d.file("kind-logs") }

// Diagnostics returns the folder for the diagnostics of failed commands, one folder for each
// command.
func (d Dir) Diagnostics() string { return d.file("diagnostics") }

// Clients returns the folder for the certificates of users whose trace contexts the API server
// continues.
func (d Dir) Clients() string { return d.file("client") }

// Tracing returns the folder for the tracing configurations of the programs on kind's node. It is
// mounted into the node.
func (d Dir) Tracing() string { return d.file("tracing") }

// Records returns the folder for the records of the processes of an embedded cluster.
func (d Dir) Records() string { return d.file("run") }

// Logs returns the folder for the logs of the processes of an embedded cluster.
func (d Dir) Logs() string { return d.file("logs") }

// Components returns the folder with a subfolder for each process of an embedded cluster.
func (d Dir) Components() string { return d.file("components") }

// Etcd returns the folder for the data of an embedded cluster.
func (d Dir) Etcd() string { return d.file("etcd") }

// PKI returns the folder for the keys and certificates of an embedded cluster.
func (d Dir) PKI() string { return d.file("pki") }

// Programs returns the folder of the copy of this program that the observer runs.
func (d Dir) Programs() string { return d.file("bin") }

// Observed returns the path of the file with the resourceVersion up to which the observer has sent
// spans.
func (d Dir) Observed() string { return d.file("observed") }

// ResetPoint returns the path of the file with the objects that the sandbox installed.
func (d Dir) ResetPoint() string { return d.file("reset.json") }

// FaultPlans returns the path of the file with the plans that the last list of fault runs printed.
func (d Dir) FaultPlans() string { return d.file("fault-plans.json") }

// Probe returns the path of a file that is written only to test if the folder is writable.
func (d Dir) Probe() string { return d.file("probe") }

// Secrets returns the files and folders that contain keys and tokens.
func (d Dir) Secrets() []string {
	return []string{d.Kubeconfig(), d.PKI(), d.Components(), d.Clients()}
}

func (d Dir) file(name string) string { return filepath.Join(d.Path, name) }

// contents returns all files and folders of a sandbox. The files that [Dir.used] looks for come
// last, so that Remove deletes them last.
func (d Dir) contents() []string {
	record := d.file(recordFile)
	return []string{
		d.Etcd(), d.Components(), d.Logs(), d.Records(), d.PKI(), d.Clients(), d.Tracing(), d.Programs(), d.Observed(), d.Observed() + ".new", d.ResetPoint(), d.ResetPoint() + ".new", d.Diagnostics(), d.KindLogs(), d.Probe(), d.FaultPlans(), d.FaultPlans() + ".new",
		d.Subject(), d.Subject() + ".new", d.ContainersConf(), d.Owner(), d.Scheduler(), d.Kubeconfig(), d.Kubeconfig() + ".lock", d.Kubeconfig() + ".new",
		record + ".new", record, d.file(lockFile),
	}
}

// others returns the sorted names of entries in the folder that do not belong to a sandbox.
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

// Remove deletes the files of the sandbox, and then the folder if it is empty. It returns the
// sorted names of other entries, which it keeps together with the folder.
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

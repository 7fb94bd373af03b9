// Package companion runs the processes of the sandbox program that belong to one sandbox: the
// observer, on every kind of cluster, and the gate of Jaeger, on clusters that the sandbox created.
// The observer watches the cluster and sends the reactions of its controllers to Jaeger as spans; see
// package observe.
package companion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/file"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

const (
	// Name is the name of the observer in status and logs, and of its command.
	Name = "observer"
	// Ready starts the line of its log that says that it has listed all objects.
	Ready = "observing "
	// tailLines is the number of lines of the log that are searched and shown.
	tailLines = 20
)

// Observer is the observer of one sandbox. Its methods can be called in several commands, but only
// the holder of the sandbox's lock can call Start and Stop.
type Observer struct{ session *session.Session }

// Of returns the observer of a sandbox.
func Of(s *session.Session) Observer { return Observer{s} }

// Wanted reports whether the sandbox has an observer.
func (o Observer) Wanted() bool { return o.session.HasObserver() }

func (o Observer) table() process.Table {
	dir := o.session.Dir
	return process.Table{Records: dir.Records(), Logs: dir.Logs(), Mark: dir.Path, Programs: dir.Programs()}
}

// Start starts the observer, or lets it run if it is up to date and not suspended, and waits until it
// has listed the objects of the cluster. Without Wanted it stops it.
func (o Observer) Start(ctx context.Context, report session.Report) error {
	if !o.Wanted() {
		report("off")
		return o.Stop(ctx)
	}
	program, err := o.program()
	if err != nil {
		return fmt.Errorf("copying the program of the observer: %w", err)
	}
	spec := process.Spec{
		Name: Name, Path: program, Args: []string{Name, "--name=" + o.session.Name, "--state-dir=" + o.session.Dir.Path}, Env: environment(),
	}
	if spec.Revision, err = o.revision(); err != nil {
		return err
	}
	table := o.table()
	_, started, err := table.Ensure(ctx, spec)
	if err != nil {
		return err
	}
	if started {
		err = table.Await(ctx, Name, func(context.Context) error { return o.hasListed() })
	}
	return err
}

// revision identifies what the observer reads only when it starts: the kubeconfig, the ports of
// Jaeger, and the operator's service name. Another cluster of the same name, a port that another
// program took, or another sandbox.yaml changes them.
func (o Observer) revision() (string, error) {
	kubeconfig, err := input.ReadOwn(o.session.Dir.Kubeconfig())
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	subject, err := o.session.Subject()
	if err != nil {
		return "", err
	}
	return cache.Key(fmt.Append(kubeconfig, o.session.Record.Ports, subject.ServiceName)), nil
}

func (o Observer) hasListed() error {
	last := "it wrote nothing"
	for line := range strings.Lines(o.table().Tail(Name, tailLines)) {
		if strings.HasPrefix(line, Ready) {
			return nil
		}
		last = strings.TrimSpace(line)
	}
	return errors.New("it has not listed the objects yet: " + last)
}

// environment returns the variables that a kubeconfig's credential plugins and the sandbox need.
func environment() []string {
	var env []string
	for _, name := range []string{"HOME", "PATH", "USER", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "KUBECONFIG", "CONTAINERS_CONF", "SSL_CERT_FILE"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// program copies this program into the sandbox's folder, because `go run` deletes its own. The name
// has the content's hash, so that a new build replaces the process.
func (o Observer) program() (string, error) {
	self, err := executable()
	if err != nil {
		return "", err
	}
	folder := o.session.Dir.Programs()
	path := filepath.Join(folder, "sandbox-"+self.hash)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	source, err := os.Open(self.path)
	if err != nil {
		return "", err
	}
	defer func() { _ = source.Close() }() // It was only read.
	// The last version may still run: deleting its file does not end it.
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700)); err != nil {
		return "", err
	}
	return path, install(source, path)
}

type program struct{ path, hash string }

// executable returns this program. Its hash takes a tenth of a second, and two processes need it.
var executable = sync.OnceValues(func() (program, error) {
	path, err := os.Executable()
	if err != nil {
		return program{}, err
	}
	source, err := os.Open(path)
	if err != nil {
		return program{}, err
	}
	defer func() { _ = source.Close() }() // It was only read.
	sum := sha256.New()
	_, err = io.Copy(sum, source)
	return program{path, hex.EncodeToString(sum.Sum(nil))[:16]}, err
})

// install writes a program so that it exists complete or not at all.
func install(source io.Reader, path string) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, source)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// notRunning returns a message with the end of the log, if there is one.
func notRunning(table process.Table, name string) string {
	message := name + " is not running"
	if tail := strings.TrimSpace(table.Tail(name, tailLines)); tail != "" {
		message += "; end of its log: " + tail
	}
	return message
}

// Status returns the state of the observer.
func (o Observer) Status() (provider.Component, error) {
	shown := provider.Component{Name: Name}
	p, err := o.table().Find(Name)
	switch {
	case err != nil:
		return shown, err
	case p == nil:
		shown.Message = notRunning(o.table(), Name)
		return shown, nil
	case p.Stopped:
		shown.Message = "was stopped by a signal"
	default:
		shown.Ready = true
	}
	shown.Since = &p.Started
	shown.Processes = []provider.Process{{Name: Name, PID: p.PID, Since: &p.Started, Log: o.table().LogPath(Name)}}
	return shown, nil
}

// SetProgress records the resourceVersion up to which the observer has sent spans. Only the observer
// calls it.
func (o Observer) SetProgress(revision uint64) error {
	return file.Replace(o.session.Dir.Observed(), strconv.AppendUint(nil, revision, 10), 0o600)
}

// Logs copies the log of the observer.
func (o Observer) Logs(ctx context.Context, out io.Writer, options provider.LogOptions) error {
	return provider.CopyLog(ctx, o.table(), out, Name, options)
}

// Stop ends the observer, also if its record was lost. It returns nil if it does not run.
func (o Observer) Stop(ctx context.Context) error {
	table := o.table()
	if err := table.Stop(ctx, Name); err != nil {
		return err
	}
	strays, err := table.Strays(ctx)
	for _, p := range strays {
		err = errors.Join(err, p.Stop(ctx))
	}
	return err
}

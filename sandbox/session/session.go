// Package session holds the state that all parts of a command share: the options, the sandbox's
// folder and record, its operator, the builder, and the source of images. A session does not know
// the kinds of clusters; see package provider.
package session

import (
	"cmp"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Report receives short progress messages of a step.
type Report = func(format string, args ...any)

// Session is one sandbox as one command sees it. Steps of a plan use it from several goroutines: a
// step reads only fields that are set by steps that it needs.
type Session struct {
	Options
	Dir    state.Dir
	Record state.Record
	// Note, if not nil, receives messages that stay visible, for example build times.
	Note func(format string, args ...any)

	// Builder builds images and programs; see [Session.UseBuilder].
	Builder *build.Builder
	// ImageSource is where images come from; see [Session.ChooseImages].
	ImageSource artifact.Provider
	// Project is the operator that up runs, and Manifests is its rendered form; both are nil in
	// commands that only read. See [Session.UseProject].
	Project   *project.Project
	Manifests *project.Manifests
	// TracingSwitched is true if this up changes whether the control plane is traced.
	TracingSwitched bool

	// RenewSample makes StartSample delete the sample first.
	RenewSample bool
	// SampleLost, if not nil, reports whether the sample has to be recreated.
	SampleLost func(context.Context) (bool, error)
	// Receiver, if not nil, returns the address of the sandbox's Jaeger for OTLP over gRPC; "" if spans
	// go to a Jaeger of the user.
	Receiver func(context.Context) (string, error)

	subject *project.Subject
	// bundlePath is the bundle to use, or empty. bundle is its content once it was read.
	bundlePath string
	bundle     *bundle.Bundle

	connect  func() (*rest.Config, error)
	shared   bool
	target   *apply.Cluster
	targetMu sync.Mutex
	held     net.Listener
}

// Open reads the folder of a sandbox, or creates an empty one. A sandbox keeps its name: with
// another name, its cluster would be lost.
func Open(options Options) (*Session, error) {
	wanted := options.Name
	options, err := options.Complete()
	if err != nil {
		return nil, err
	}
	dir, err := state.Open(options.StateDir)
	if err != nil {
		return nil, err
	}
	record, err := dir.Load()
	if err != nil {
		return nil, err
	}
	if record.Name != "" {
		if wanted != "" && wanted != record.Name {
			return nil, settings.Given("name", wanted).Errorf("the sandbox in %s is called %s; omit --name or choose another --state-dir", dir.Path, record.Name)
		}
		options.Name = record.Name
	}
	return &Session{Options: options, Dir: dir, Record: record}, nil
}

// lockNotice is the time after which a command reports that it waits for the lock.
const lockNotice = 500 * time.Millisecond

// Lock keeps other commands from changing the sandbox until unlock is called, and reads the record
// again, since the previous owner of the lock may have changed it. notice, if not nil, receives a
// message if that takes long.
func (s *Session) Lock(ctx context.Context, notice Report) (unlock func(), err error) {
	soon, cancel := context.WithTimeout(ctx, lockNotice)
	unlock, err = s.Dir.Lock(soon)
	cancel()
	if err != nil && ctx.Err() == nil {
		if notice != nil {
			other := "another command"
			if holder := s.Dir.Holder(); holder != "" {
				other = hint.Run(strings.Fields(holder)...)
			}
			notice("Waiting for %s, which changes the sandbox %s.", other, s.Name)
		}
		unlock, err = s.Dir.Lock(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.Dir.SetHolder(s.Command)
	s.Record, err = s.Dir.Load()
	if err == nil && s.Record.Name != "" && s.Cluster == "auto" {
		err = s.Fit(s.Record.Cluster)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// Save writes the record.
func (s *Session) Save() error { return s.Dir.Save(s.Record) }

// HoldPort listens on an address of this machine until ReleasePort or the end of the program, and
// serves nothing.
func (s *Session) HoldPort(ctx context.Context, address string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", address)
	s.held = listener
	return err
}

// ReleasePort ends HoldPort.
func (s *Session) ReleasePort() {
	if s.held != nil {
		_ = s.held.Close() // It serves nothing.
		s.held = nil
	}
}

// ErrDown means that the sandbox was never created, or was deleted.
var ErrDown error = &hint.Error{Format: "the sandbox is not up: run %s", Commands: []string{"up"}}

// Connect sets how Target reaches the API server. Objects on a shared cluster carry the name of the
// sandbox.
func (s *Session) Connect(config func() (*rest.Config, error), shared bool) {
	s.connect, s.shared = config, shared
}

// Target returns the API server that everything is installed in. It returns ErrDown before Connect.
func (s *Session) Target() (*apply.Cluster, error) {
	s.targetMu.Lock()
	defer s.targetMu.Unlock()
	if s.target != nil {
		return s.target, nil
	}
	if s.connect == nil {
		return nil, ErrDown
	}
	config, err := s.connect()
	if err != nil {
		return nil, err
	}
	subject, err := s.Subject()
	if err != nil {
		return nil, err
	}
	target, err := apply.NewCluster(config, subject)
	if err != nil {
		return nil, err
	}
	if s.shared {
		target.Share(cmp.Or(s.Record.Name, s.Name))
	}
	s.target = target
	return target, nil
}

// UseBuilder finds the sources and the cache. With a bundle there are no sources.
func (s *Session) UseBuilder() error {
	if s.Builder != nil {
		return nil
	}
	cache, err := state.CachePath()
	if err != nil {
		return err
	}
	if s.bundlePath != "" {
		s.Builder = &build.Builder{Cache: cache}
		return nil
	}
	root, err := findSource(cmp.Or(s.Source, "."))
	if err != nil {
		return err
	}
	mirror, err := s.Mirror()
	s.Builder = &build.Builder{Root: root, Cache: cache, Mirror: mirror, Built: s.built}
	return err
}

func (s *Session) built(component string, took time.Duration) {
	s.Notef("   built %-32s %6.1f s", component, took.Seconds())
}

// Archive writes images as an engine or a node reads them.
func Archive(images ...artifact.Image) engine.Archiver {
	return func(out io.Writer) error { return artifact.Archive(out, images...) }
}

// Notef calls Note, if it is not nil.
func (s *Session) Notef(format string, args ...any) {
	if s.Note != nil {
		s.Note(format, args...)
	}
}

// Package traces finds an object's trace in the Jaeger of a sandbox, waits until it is complete, and
// follows it while it grows.
package traces

import (
	"context"
	"errors"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// Reader reads the objects of a sandbox and their traces. Its methods can be called by several
// goroutines.
type Reader struct {
	session *session.Session
	access  func() (provider.Access, error)
}

// NewReader returns a Reader. It calls access when it needs Jaeger.
func NewReader(s *session.Session, access func() (provider.Access, error)) *Reader {
	return &Reader{session: s, access: access}
}

// Asks reports whether there is a Jaeger that this machine can query.
func (r *Reader) Asks() bool {
	t := r.session.Record.Target
	return t.JaegerEndpoint == "" || t.JaegerQuery != ""
}

// reader returns a client of Jaeger's gRPC API. A Jaeger of the user is queried over HTTP.
func (r *Reader) reader(ctx context.Context) (*jaeger.Client, error) {
	addresses, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	address := addresses[component.Query]
	if address == "" {
		address = addresses[component.UI]
	}
	return jaeger.Dial(address)
}

func (r *Reader) reach(ctx context.Context) (provider.Addresses, error) {
	access, err := r.access()
	if err != nil {
		return nil, err
	}
	if err := access.Reach(ctx); err != nil {
		return nil, err
	}
	return access.Addresses(), nil
}

// searcher searches over gRPC, since Jaeger up to v2.13 ignores tags over HTTP, and reads over HTTP,
// which returns complete traces that can be imported again.
type searcher struct {
	*jaeger.Client
	search *jaeger.Client
}

func (s searcher) FindTraces(ctx context.Context, q tracetree.Query) ([]tracetree.Trace, error) {
	return s.search.FindTraces(ctx, q)
}

func (s searcher) Close() error { return errors.Join(s.Client.Close(), s.search.Close()) }

func (r *Reader) searcher(ctx context.Context) (searcher, error) {
	addresses, err := r.reach(ctx)
	if err != nil {
		return searcher{}, err
	}
	whole, err := jaeger.Dial(addresses[component.UI])
	if err != nil {
		return searcher{}, err
	}
	search, err := r.reader(ctx)
	if err != nil {
		return searcher{}, errors.Join(err, whole.Close())
	}
	return searcher{whole, search}, nil
}

// Recent returns the traces of the last hour in which the operator took part, at most limit, usually
// the newest first.
func (r *Reader) Recent(ctx context.Context, limit int) (found []tracetree.Trace, err error) {
	subject, err := r.session.Subject()
	if err != nil {
		return nil, err
	}
	reader, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	found, err = reader.FindTraces(ctx, tracetree.Query{Service: subject.ServiceName, Limit: limit})
	if errors.Is(err, tracetree.ErrTruncated) {
		err = nil
	}
	return found, err
}

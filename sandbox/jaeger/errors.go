package jaeger

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Error is the error of a call. Its message is one line.
type Error struct {
	// Doing describes the operation with a gerund.
	Doing string
	// Endpoint is the address that was passed to [Dial] or [DialOTLP].
	Endpoint string
	// Kind is one of the Err values of package tracetree, or nil.
	Kind error
	// Err is the error of the transport; never nil.
	Err error
	// Remedy is an instruction for the user; empty if unknown.
	Remedy string
}

// Error returns all fields in one line, the remedy last.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s at %s: ", e.Doing, e.Endpoint)
	if e.Kind != nil {
		text += e.Kind.Error() + ": "
	}
	text += strings.Join(strings.Fields(e.Err.Error()), " ")
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the kind and the error of the transport.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Remedies.
const (
	remedyGRPC         = "check that it runs, that this is the gRPC port of its query service (usually 16685; for its HTTP port write http://), and whether it requires TLS"
	remedyHTTP         = "check that it runs, and that this is the HTTP port of its query service (usually 16686; for its gRPC port omit http://) with its base path"
	remedyOTLP         = "check that it runs, and that this is its OTLP port: usually 4317 for gRPC, written host:port, and 4318 for HTTP, written http://host:port"
	remedyWantsTLS     = "the server requires TLS: write https:// or grpcs://"
	remedyNoTLS        = "the server does not use TLS: write http://, or host:port for gRPC"
	remedyCertificate  = "the server's certificate is not trusted for this address: pass its certificate authority in the TLS options"
	remedyUnauthorized = "pass a bearer token, or the header with the tenant"
	remedyNotFound     = "spans arrive with a delay, and only from sampled traces"
	remedySize         = "raise the client's size limit, or request less"
	remedyDepth        = "the limit is too high for this Jaeger: request fewer traces"
)

// bounded calls a transport with the timeout of the settings and completes its error. If the
// caller's context is done, the error has no kind. If only the timeout has passed, the kind is
// tracetree.ErrUnreachable, unless the transport determined another one.
func bounded[T any](ctx context.Context, s settings, doing string, call func(context.Context) (T, error)) (T, error) {
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	result, err := call(within)
	if err == nil {
		return result, nil
	}
	failure := &Error{Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		*failure = *inner
	}
	failure.Doing, failure.Endpoint = doing, s.endpoint
	if end := ended(ctx, err); end != nil {
		failure.Kind, failure.Remedy = nil, ""
		failure.Err = fmt.Errorf("%w: %w", end, failure.Err)
	} else if ended(within, err) != nil {
		if failure.Kind == nil {
			failure.Kind = tracetree.ErrUnreachable
		}
		// Do not wrap the cause, because the caller's deadline is not exceeded.
		failure.Err = fmt.Errorf("no complete response within %s: %s", s.timeout, failure.Err.Error())
	}
	var none T
	return none, failure
}

// ended returns the error of a context if err results from its end, and nil otherwise. gRPC has
// separate timers for deadlines on both sides of a connection, so its error can precede the error
// of the context.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	deadline, has := ctx.Deadline()
	if has && time.Until(deadline) < 50*time.Millisecond && status.Code(err) == codes.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return nil
}

// tlsRemedy returns the remedy for a TLS error, or other for another error. It also compares texts,
// because gRPC does not wrap errors.
func tlsRemedy(err error, other string) string {
	var header tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	text := err.Error()
	switch {
	case errors.As(err, &verification), strings.Contains(text, "x509: "):
		return remedyCertificate
	case errors.As(err, &header), strings.Contains(text, "first record does not look like a TLS handshake"),
		strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return remedyNoTLS
	}
	return other
}

// searchDepthRefused reports whether Jaeger refused the limit of a search as too high. The maximum
// depends on the storage, and the response has no specific code.
func searchDepthRefused(message string) bool {
	return strings.Contains(message, "search depth") || strings.Contains(message, "search_depth")
}

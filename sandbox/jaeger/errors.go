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
)

// The ways of failing that callers treat differently. Errors of a [Client] and of
// a [Sender] wrap one of them, or none.
var (
	// ErrUnreachable: nobody answered, not within the timeout, or what answered
	// is not Jaeger.
	ErrUnreachable = errors.New("jaeger is unreachable")
	// ErrUnauthorized: Jaeger, or the proxy before it, wants other credentials.
	ErrUnauthorized = errors.New("not authorized")
	// ErrNotFound: Jaeger has no span of the trace, or not yet.
	ErrNotFound = errors.New("trace not found")
	// ErrTruncated: only a part of the answer came, or would have come.
	ErrTruncated = errors.New("answer is truncated")
)

// Error is a call that failed. Its text is one line.
type Error struct {
	// Doing says what was tried, in gerund voice.
	Doing string
	// Endpoint is the address as it was given to [Dial] or [DialOTLP].
	Endpoint string
	// Kind is one of the package's Err values; nil where none fits.
	Kind error
	// Err is what the transport reported; never nil.
	Err error
	// Remedy says what to try; empty where nothing is known to help.
	Remedy string
}

// Error gives everything in one line, the remedy last.
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

// Unwrap gives the kind and the transport's error, so that errors.Is finds both.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// What to try, by what went wrong.
const (
	remedyGRPC         = "check that it runs, that this is the gRPC port of its query service (usually 16685; for its HTTP port write http://), and whether it wants TLS"
	remedyHTTP         = "check that it runs, and that this is the HTTP port of its query service (usually 16686; for its gRPC port leave http:// out) with its base path"
	remedyOTLP         = "check that it runs, and that this is its OTLP port: usually 4317 for gRPC, written host:port, and 4318 for HTTP, written http://host:port"
	remedyWantsTLS     = "the server wants TLS: write https:// or grpcs://"
	remedyNoTLS        = "the server speaks no TLS: write http://, or host:port for gRPC"
	remedyCertificate  = "the server's certificate is not trusted for this address: give its authority with TLS options"
	remedyUnauthorized = "give a bearer token, or the header that names the tenant"
	remedyNotFound     = "spans come with a delay, and only from traces that are sampled"
	remedySize         = "raise the client's size limit, or ask for less"
	remedyDepth        = "Jaeger takes no limit as high as this: ask for fewer traces"
)

// finish completes an error of a transport. The end of the caller's own context
// is not the server's fault: then the error is of no kind. The end of the other
// context, which ends after the client's timeout, is.
func finish(ctx, within context.Context, doing, endpoint string, timeout time.Duration, err error) error {
	failure := &Error{Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		*failure = *inner
	}
	failure.Doing, failure.Endpoint = doing, endpoint
	switch {
	case ended(ctx, err) != nil:
		failure.Kind, failure.Remedy = nil, ""
		failure.Err = fmt.Errorf("%w: %w", ended(ctx, err), failure.Err)
	case ended(within, err) != nil:
		if failure.Kind == nil {
			failure.Kind = ErrUnreachable
		}
		// The cause stays a text: it is not the caller's deadline that is exceeded.
		failure.Err = errors.New(fmt.Sprintf("no whole answer within %s: ", timeout) + failure.Err.Error())
	}
	return failure
}

// ended tells whether an error came of the end of a context, and gives that one's
// error. gRPC has a clock of its own for deadlines, on both sides of the
// connection, and its error may come before the context's.
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

// interrupted tells whether an error of a client says nothing but that the
// caller's context is at its end.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// tlsRemedy tells the ways in which TLS fails apart, by the error or, as gRPC
// keeps only texts, by the words of Go's TLS. Otherwise the remedy is the other.
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

// searchDepthRefused tells by its words that Jaeger found the limit of a search
// too high. Its storages differ in where that is, and the answer has no code.
func searchDepthRefused(message string) bool {
	return strings.Contains(message, "search depth") || strings.Contains(message, "search_depth")
}

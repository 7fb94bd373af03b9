package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// pullError says in one line which image did not come from which registry, why, and what to do.
func (r *Registry) pullError(ctx context.Context, image string, reference name.Reference, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("pulling %s: %w", image, ctx.Err())
	}
	host := reference.Context().RegistryStr()
	var disk *fs.PathError
	if errors.As(err, &disk) && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("keeping %s from %s in the cache: %w", image, host, Remedy(err))
	}
	reason, remedy := r.explain(err, host)
	return &pullFailure{text: fmt.Sprintf("pulling %s from %s: %s; %s", image, host, strings.Join(strings.Fields(reason), " "), remedy), err: err}
}

// pullFailure is an error in other words.
type pullFailure struct {
	text string
	err  error
}

// Error implements error.
func (e *pullFailure) Error() string { return e.text }

// Unwrap is what happened.
func (e *pullFailure) Unwrap() error { return e.err }

// explain puts an error of go-containerregistry into words, and says what to do about it.
func (r *Registry) explain(err error, host string) (reason, remedy string) {
	const source = "use --images=source"
	var limited *rateLimitError
	var page *webPageError
	var answer *transport.Error
	isAnswer := errors.As(err, &answer)
	switch {
	case errors.As(err, &limited):
		return limited.Error(), fmt.Sprintf("try again later, log in with `docker login %s`, or %s", host, source)
	case errors.As(err, &page):
		return page.Error(), "set HTTPS_PROXY, or NO_PROXY for this host, or " + source
	case isAnswer && answer.StatusCode == http.StatusNotFound:
		return "it has no such image (404 Not Found)", r.missingRemedy() + ", or " + source
	case isAnswer && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Sprintf("it refuses (%s)", status(answer.StatusCode)), fmt.Sprintf("log in with `docker login %s`, or %s", host, source)
	case isAnswer:
		return fmt.Sprintf("it answers %s", status(answer.StatusCode)), "try again later, or " + source
	case isMismatch(err):
		return "it sent something else than what was asked for by digest, and nothing of that is used: " + plainly(err).Error(),
			"ask who runs it, or " + source
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it broke off: " + plainly(err).Error(), "try again, or " + source
	}
	return plainly(err).Error(), source + " where no registry answers"
}

func (r *Registry) missingRemedy() string {
	if r.mirror.base == nil {
		return "ask for it later"
	}
	return "copy it there"
}

func status(code int) string { return fmt.Sprintf("%d %s", code, http.StatusText(code)) }

// isMismatch tells whether content was not what its digest or its size says. go-containerregistry has no errors of its own for
// these that others may look for; a test holds the words.
func isMismatch(err error) bool {
	text := err.Error()
	return strings.Contains(text, "does not match requested digest") || strings.Contains(text, "error verifying")
}

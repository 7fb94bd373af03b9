package artifact

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

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
)

// pullError describes a failed pull in one line: the image, the registry, the cause and the remedy.
func (r *Registry) pullError(ctx context.Context, image string, reference name.Reference, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("pulling %s: %w", image, ctx.Err())
	}
	host := reference.Context().RegistryStr()
	if _, disk := errors.AsType[*fs.PathError](err); disk && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("writing %s from %s to the cache: %w", image, host, cache.Remedy(err))
	}
	cause, remedy := r.explain(err, host)
	return fmt.Errorf("pulling %s from %s: %s; %s", image, host, strings.Join(strings.Fields(cause), " "), remedy)
}

func (r *Registry) explain(err error, host string) (cause, remedy string) {
	const source = "use --images=source"
	login := fmt.Sprintf("log in with `docker login %s`, or %s", host, source)
	var limited *rateLimitError
	var page *htmlError
	var response *transport.Error
	switch {
	case errors.As(err, &limited):
		return limited.Error(), "try again later, " + login
	case errors.As(err, &page):
		return page.Error(), "check for a proxy or captive portal, set HTTPS_PROXY or NO_PROXY, or " + source
	case errors.As(err, &response):
		status := fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
		switch response.StatusCode {
		case http.StatusNotFound:
			return "no such image (" + status + ")", r.missingRemedy() + ", or " + source
		case http.StatusUnauthorized, http.StatusForbidden:
			return "access denied (" + status + ")", login
		}
		return "unexpected status " + status, "try again later, or " + source
	case isMismatch(err):
		return "discarded content with the wrong digest or size: " + shorten(err).Error(), "report this to the registry's operator, or " + source
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection lost: " + shorten(err).Error(), "try again, or " + source
	}
	return shorten(err).Error(), source + " if no registry can be reached"
}

func (r *Registry) missingRemedy() string {
	if r.mirror.folder.base == nil {
		return "try again later"
	}
	return "copy it to the mirror"
}

// isMismatch reports whether content does not match its digest or size. go-containerregistry has no
// exported errors for this; a test checks that the texts are still the same.
func isMismatch(err error) bool {
	text := err.Error()
	return strings.Contains(text, "does not match requested digest") || strings.Contains(text, "error verifying")
}

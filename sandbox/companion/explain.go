package companion

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/hostcheck"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// explaining returns a handler that answers requests for explained traces itself, if their Host header
// is local, and passes all others to jaeger. The base path of Jaeger can be in front of the path.
func explaining(jaeger http.Handler, read ReadTrace) http.Handler {
	explained := hostcheck.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		trace, err := read(r.Context(), path.Base(r.URL.Path))
		var page bytes.Buffer
		if err == nil {
			err = writeExplained(&page, trace)
		}
		switch {
		case errors.Is(err, tracetree.ErrNotFound):
			w.WriteHeader(http.StatusNotFound)
		case err != nil:
			w.WriteHeader(http.StatusBadGateway)
			// A map of texts is valid JSON, and the client may have left.
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": err.Error()}})
		default:
			_, _ = page.WriteTo(w) // The client may have left.
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if folder, _ := path.Split(r.URL.Path); r.Method == http.MethodGet && strings.HasSuffix(folder, view.JaegerTraces) {
			explained.ServeHTTP(w, r)
			return
		}
		jaeger.ServeHTTP(w, r)
	})
}

// writeExplained writes a trace with its explanation, if it has one.
func writeExplained(out *bytes.Buffer, trace tracetree.Trace) error {
	otlp, err := trace.JSON()
	if err != nil {
		return err
	}
	forest := trace.Forest()
	shown := view.New(forest, session.Labels()...)
	if e, err := explain.Of(forest, explain.Options{}); err == nil {
		shown = shown.Explained(e)
	}
	return shown.WriteJSON(out, otlp)
}

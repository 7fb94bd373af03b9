package embedded

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// JaegerOptions are the options for Jaeger.
type JaegerOptions struct {
	// Program is the path of the program.
	Program string
	// Page is an index.html that replaces Jaeger's own page, which its Go module lacks. If it is
	// empty, Jaeger serves its own page.
	Page []byte
	// Password is required by its page and HTTP query API.
	Password string
}

// Jaeger starts Jaeger and waits until it accepts spans and queries.
func (c *Cluster) Jaeger(ctx context.Context, options JaegerOptions, report Report) error {
	_, err := c.start(ctx, service{
		name: component.Jaeger, spec: func() (process.Spec, error) { return c.jaeger(options) },
		ready: c.JaegerAnswers,
	}, report)
	return err
}

// JaegerAnswers returns nil if Jaeger is ready.
func (c *Cluster) JaegerAnswers(ctx context.Context) error {
	own, _ := c.ports()
	return answers(ctx, http.DefaultClient, "http://"+address(own[component.JaegerHealth])+"/status")
}

// jaeger returns the process of Jaeger. It has the same configuration as in a Pod; the addresses
// come from its environment.
func (c *Cluster) jaeger(options JaegerOptions) (process.Spec, error) {
	own, ports := c.ports()
	folder, err := c.folder(component.Jaeger)
	if err != nil {
		return process.Spec{}, err
	}
	content, err := config.Files.ReadFile(config.JaegerConfig)
	if err != nil {
		return process.Spec{}, fmt.Errorf("reading the configuration of Jaeger: %w", err)
	}
	path := filepath.Join(folder, "config.yaml")
	spec := process.Spec{Path: options.Program, Args: []string{"--config=" + path}, Revision: cache.Key(slices.Concat(content, options.Page))}
	// By default Jaeger would send traces of its own queries to port 4317, and hang for ten seconds
	// when it stops.
	spec.Env = []string{"GOMEMLIMIT=450MiB", "JAEGER_HOST=127.0.0.1", "JAEGER_MEMORY_MIB=2048", "OTEL_TRACES_SAMPLER=always_off"}
	spec.Env = append(spec.Env, fmt.Sprintf("JAEGER_HEALTH_PORT=%d", own[component.JaegerHealth]))
	spec.Env = append(spec.Env, "JAEGER_UI_AUTH="+component.JaegerAuth, "JAEGER_UI_PASSWORD="+options.Password)
	ports = ports.With(component.UI, own[component.JaegerPage]) // The gate has the user's.
	for _, p := range component.Named(component.Jaeger).Ports {
		spec.Env = append(spec.Env, fmt.Sprintf("%s=%d", p.Env, ports[p.Name]))
	}
	if len(options.Page) > 0 {
		page := filepath.Join(folder, "page")
		if err := os.MkdirAll(page, 0o700); err != nil {
			return process.Spec{}, fmt.Errorf("creating the folder for the page of Jaeger: %w", state.Remedy(err))
		}
		if err := write(filepath.Join(page, "index.html"), string(options.Page)); err != nil {
			return process.Spec{}, err
		}
		spec.Env = append(spec.Env, "JAEGER_UI_ASSETS="+page)
	}
	slices.Sort(spec.Env)
	return spec, write(path, string(content))
}

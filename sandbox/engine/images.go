package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Archiver writes an image archive that an engine can load.
type Archiver func(io.Writer) error

// pipe calls the engine with an image archive as its stdin.
func (e *Engine) pipe(ctx context.Context, write Archiver, args ...string) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(write(writer)) }()
	defer reader.Close()
	_, err := e.Run(ctx, LoadTimeout, reader, args...)
	return err
}

// ImageID returns the engine's id of an image; has is false if it has no image of that name.
func (e *Engine) ImageID(ctx context.Context, name string) (id string, has bool) {
	return e.inspectImage(ctx, name, "{{.Id}}")
}

func (e *Engine) inspectImage(ctx context.Context, name, format string) (answer string, has bool) {
	out, err := e.Run(ctx, Timeout, nil, "image", "inspect", "--format", format, name)
	return strings.TrimSpace(out), err == nil
}

// SaveImage writes an image to a file, as an archive that engines can load.
func (e *Engine) SaveImage(ctx context.Context, name, path string) error {
	if _, err := e.Run(ctx, LoadTimeout, nil, "save", "-o", path, name); err != nil {
		return fmt.Errorf("saving image %s: %w", name, err)
	}
	return nil
}

// EnsureImage loads an image if the engine has none of that name.
func (e *Engine) EnsureImage(ctx context.Context, name string, write Archiver) (loaded bool, err error) {
	if _, has := e.ImageID(ctx, name); has {
		return false, nil
	}
	if err := e.pipe(ctx, write, "load"); err != nil {
		return false, fmt.Errorf("loading image %s into %s: %w", name, e.Name, err)
	}
	return true, nil
}

// RemoveImages deletes the images with this name prefix, except images in use by a container, for
// example of another sandbox. It returns the first error, after it tried every image.
func (e *Engine) RemoveImages(ctx context.Context, prefix string) error {
	names, err := e.UnusedImages(ctx, prefix)
	if err != nil {
		return err
	}
	var first error
	for _, name := range names {
		if err := e.RemoveImage(ctx, name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// UnusedImages returns the images with this name prefix that no container uses, running or stopped.
func (e *Engine) UnusedImages(ctx context.Context, prefix string) ([]string, error) {
	out, err := e.Run(ctx, Timeout, nil, "images", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	used, err := e.Run(ctx, Timeout, nil, "ps", "--all", "--format", "{{.Image}}")
	if err != nil {
		return nil, fmt.Errorf("listing the images of containers: %w", err)
	}
	inUse := strings.Fields(used)
	var names []string
	for name := range strings.FieldsSeq(out) {
		if strings.HasPrefix(name, prefix) && !slices.Contains(inUse, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// RemoveImage deletes an image by its name.
func (e *Engine) RemoveImage(ctx context.Context, name string) error {
	_, err := e.Run(ctx, Timeout, nil, "rmi", name)
	return err
}

// ImageSize returns the size of an image in the engine's storage in bytes, including layers that it
// shares with other images. It returns 0 if the engine does not report the size.
func (e *Engine) ImageSize(ctx context.Context, name string) int64 {
	answer, _ := e.inspectImage(ctx, name, "{{.Size}}")
	size, err := strconv.ParseInt(answer, 10, 64)
	if err != nil {
		return 0
	}
	return size
}

// NodeImages returns the names of the images in a node, which is a container of the engine.
func (e *Engine) NodeImages(ctx context.Context, node string) (map[string]bool, error) {
	out, err := e.Run(ctx, Timeout, nil, "exec", node, "ctr", "--namespace=k8s.io", "images", "list", "--quiet")
	if err != nil {
		return nil, fmt.Errorf("listing the images of node %s: %w", node, err)
	}
	have := map[string]bool{}
	for name := range strings.FieldsSeq(out) {
		have[name] = true
	}
	return have, nil
}

// ImportIntoNode streams an image archive into a node. The containerd of the node must be running.
func (e *Engine) ImportIntoNode(ctx context.Context, node string, write Archiver) error {
	// --local: an import through containerd's transfer service takes twice as long.
	err := e.pipe(ctx, write, "exec", "--interactive", node, "ctr", "--namespace=k8s.io", "images", "import", "--local", "-")
	if err != nil {
		return fmt.Errorf("importing images into node %s: %w", node, err)
	}
	return nil
}

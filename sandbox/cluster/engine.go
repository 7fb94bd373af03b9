package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Engine is a container engine that was seen to work.
type Engine struct {
	// Name is docker, podman or nerdctl: the command and kind's provider of that name.
	Name string
	// Host is what the engine's host grants a privileged container; nil if it was not probed in this process.
	Host *Host
	// ContainersConf is the file that podman gets as CONTAINERS_CONF, or "".
	ContainersConf string
}

// Host is what a privileged container finds on the engine's host, which may be a virtual machine. The probe prints it
// (sandbox/source/node/init/host.go).
type Host struct {
	Architecture string `json:"architecture"`
	Kernel       string `json:"kernel"`
	CgroupV2     bool   `json:"cgroupV2"`
	SysResource  bool   `json:"sysResource"`
	NoFile       uint64 `json:"noFile"`
	Mount        bool   `json:"mount"`
	Memory       uint64 `json:"memory"`
	// Controllers are those of cgroup v2 that the container gets; nil on cgroup v1.
	Controllers []string `json:"controllers"`
	// Rootless is whether the container's root is another user outside.
	Rootless bool `json:"rootless"`
	// InotifyInstances and InotifyWatches are the most for one user.
	InotifyInstances uint64 `json:"inotifyInstances"`
	InotifyWatches   uint64 `json:"inotifyWatches"`
	// Free is the room in the engine's storage, in bytes.
	Free uint64 `json:"free"`
}

// engines are tried in this order.
var engines = []string{"docker", "podman", "nerdctl"}

const (
	// engineTimeout bounds one call of the engine that only asks or removes something.
	engineTimeout = 30 * time.Second
	// loadTimeout bounds the loading of a node image, some 600 MB.
	loadTimeout = 5 * time.Minute
)

// Archiver writes an image archive for an engine to load.
type Archiver func(io.Writer) error

// run calls the engine and returns what it printed on stdout. The error holds the last line of stderr.
func (e *Engine) run(ctx context.Context, timeout time.Duration, stdin io.Reader, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := e.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("no answer within %s", timeout)
	}
	return stdout.String(), fmt.Errorf("running %s %s: %w: %s", e.Name, args[0], err, lastLine(stderr.String()+stdout.String()))
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// load gives the engine an image.
func (e *Engine) load(ctx context.Context, write Archiver) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(write(writer)) }()
	defer reader.Close()
	_, err := e.run(ctx, loadTimeout, reader, "load")
	return err
}

// hasImage tells whether the engine has an image of this name.
func (e *Engine) hasImage(ctx context.Context, name string) bool {
	_, err := e.run(ctx, engineTimeout, nil, "image", "inspect", name)
	return err == nil
}

// ImageID is the engine's id of an image; has is false where it has none of that name.
func (e *Engine) ImageID(ctx context.Context, name string) (id string, has bool) {
	out, err := e.run(ctx, engineTimeout, nil, "image", "inspect", "--format", "{{.Id}}", name)
	return strings.TrimSpace(out), err == nil
}

// SaveImage writes an image to a file, as an archive that engines load.
func (e *Engine) SaveImage(ctx context.Context, name, path string) error {
	if _, err := e.run(ctx, loadTimeout, nil, "save", "-o", path, name); err != nil {
		return fmt.Errorf("saving image %s: %w", name, err)
	}
	return nil
}

// EnsureImage loads an image if the engine has none of that name.
func (e *Engine) EnsureImage(ctx context.Context, name string, write Archiver) (loaded bool, err error) {
	if e.hasImage(ctx, name) {
		return false, nil
	}
	if err := e.load(ctx, write); err != nil {
		return false, fmt.Errorf("loading image %s into %s: %w", name, e.Name, err)
	}
	return true, nil
}

// RemoveImages removes the images whose names begin with prefix, but for those that a container uses: another sandbox's.
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

// UnusedImages lists the images whose names begin with prefix and that no container uses, be it one that is stopped.
func (e *Engine) UnusedImages(ctx context.Context, prefix string) ([]string, error) {
	out, err := e.run(ctx, engineTimeout, nil, "images", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	used, err := e.run(ctx, engineTimeout, nil, "ps", "--all", "--format", "{{.Image}}")
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

// RemoveImage removes an image by its name.
func (e *Engine) RemoveImage(ctx context.Context, name string) error {
	_, err := e.run(ctx, engineTimeout, nil, "rmi", name)
	return err
}

// ImageSize is what an image takes in the engine's storage, in bytes, with layers that others have too; 0 where the engine does not tell.
func (e *Engine) ImageSize(ctx context.Context, name string) int64 {
	out, err := e.run(ctx, engineTimeout, nil, "image", "inspect", "--format", "{{.Size}}", name)
	if err != nil {
		return 0
	}
	size, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return 0
	}
	return size
}

// Answering returns the engines that are installed and answer, whether or not they can start privileged containers.
func Answering(ctx context.Context) []*Engine {
	var found []*Engine
	for _, name := range engines {
		engine := &Engine{Name: name}
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		if _, err := engine.run(ctx, engineTimeout, nil, "ps"); err == nil {
			found = append(found, engine)
		}
	}
	return found
}

// probe starts a privileged container and reads what it gets. The container is given what kind gives its nodes, so
// that what fails there fails here, in a second.
func (e *Engine) probe(ctx context.Context, image string, write Archiver) error {
	if _, err := e.EnsureImage(ctx, image, write); err != nil {
		return err
	}
	out, err := e.run(ctx, engineTimeout, nil, "run", "--rm", "--privileged", "--network=none", "--cgroupns=private",
		"--label="+probeLabel, "--tmpfs=/tmp", image)
	if err != nil {
		return err
	}
	var host Host
	if err := json.Unmarshal([]byte(out), &host); err != nil {
		return fmt.Errorf("reading what the probe printed (%q): %w", lastLine(out), err)
	}
	if !host.Mount {
		return errors.New("a container started with --privileged may not mount file systems: the engine grants no privileges")
	}
	e.Host = &host
	return nil
}

// probeLabel marks probe containers, so that one left behind can be told from the user's.
const probeLabel = "operator-tracing.sandbox=probe"

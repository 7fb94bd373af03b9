package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Builder compiles components into the cache. Its fields must not change while it is used; its methods may be called
// from several goroutines, though `go build` itself already uses every processor.
type Builder struct {
	// Root is the repository's root folder: the sources are there.
	Root string
	// Cache is the folder that holds what was built; see state.CachePath.
	Cache string
	// OS and Arch are the target's GOOS and GOARCH. The empty OS is linux, the empty Arch this machine's.
	OS, Arch string
	// Built, if not nil, is told of every component that was compiled, as opposed to found in the cache.
	Built func(component string, took time.Duration)
}

// Report is told what a long job is at, in a few words. It may be nil.
type Report func(format string, args ...any)

func (r Report) say(format string, args ...any) {
	if r != nil {
		r(format, args...)
	}
}

func (b *Builder) platform() (goos, goarch string) {
	goos, goarch = b.OS, b.Arch
	if goos == "" {
		goos = "linux"
	}
	if goarch == "" {
		goarch = runtime.GOARCH
	}
	return goos, goarch
}

// build returns the folder with c's binaries, compiled if the cache does not have them.
func (b *Builder) build(ctx context.Context, c component, report Report) (string, error) {
	key, stamps, err := b.key(c)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	dir := filepath.Join(b.Cache, "bin", c.name+"-"+key)
	if use(dir, c.outputs) {
		report.say("cached")
		return dir, nil
	}
	start := time.Now()
	err = fill(dir, c.outputs, func(temporary string) error {
		if err := b.compile(ctx, c, stamps, temporary, report); err != nil {
			return err
		}
		if !complete(temporary, c.outputs) {
			return fmt.Errorf("the build left no %s", strings.Join(c.outputs, ", "))
		}
		return c.link(temporary)
	})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	b.built(c.name, start, report)
	if c.keep > 0 {
		prune(filepath.Join(b.Cache, "bin"), c.name, c.keep)
		prune(filepath.Join(b.Cache, "layers"), c.name, c.keep)
	}
	return dir, nil
}

func (b *Builder) built(name string, start time.Time, report Report) {
	report.say("built") // What is said last stays beside the step.
	if b.Built != nil {
		b.Built(name, time.Since(start))
	}
}

// cached tells whether build would find c in the cache.
func (b *Builder) cached(c component) bool {
	key, _, err := b.key(c)
	return err == nil && complete(filepath.Join(b.Cache, "bin", c.name+"-"+key), c.outputs)
}

// compile runs `go build` for c into dir. CGO_ENABLED and -trimpath are the same for everything in this project, tests
// and linters included: with others, Go would compile Kubernetes once more.
func (b *Builder) compile(ctx context.Context, c component, stamps []string, dir string, report Report) error {
	ldflags := "-s -w"
	for _, s := range stamps {
		ldflags += " -X " + s
	}
	out := dir + string(filepath.Separator)
	if c.rename {
		out += c.outputs[0]
	}
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=" + ldflags, "-o", out}
	if c.tags != "" {
		args = append(args, "-tags="+c.tags)
	}
	args = append(args, c.flags...)
	cmd := b.goCommand(ctx, c.module, append(args, c.packages...)...)
	return runReporting(cmd, report)
}

// goCommand is the go command in a module's folder, for the target's platform. Only a workspace of that very folder takes
// part: the key of a build has its go.work, and no other one.
func (b *Builder) goCommand(ctx context.Context, folder string, args ...string) *exec.Cmd {
	goos, goarch := b.platform()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.folder(folder)
	workspace := filepath.Join(cmd.Dir, goWork)
	if !fileExists(workspace) {
		workspace = "off"
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK="+workspace, "GOOS="+goos, "GOARCH="+goarch)
	cmd.WaitDelay = 10 * time.Second // The compilers that go started may hold the pipe a little longer than go.
	return cmd
}

// folder is where a module is: below the root, unless it is an absolute path.
func (b *Builder) folder(module string) string {
	if filepath.IsAbs(module) {
		return module
	}
	return filepath.Join(b.Root, module)
}

// runReporting runs `go build -v`, which names every package on stderr when it is compiled, and reports how many
// there were. Lines that name no package are what the compiler had to say, and become part of the error.
func runReporting(cmd *exec.Cmd, report Report) error {
	lines, writer := io.Pipe()
	cmd.Stderr, cmd.Stdout = writer, writer
	messages := make(chan string)
	go func() {
		var said bytes.Buffer
		count := 0
		for scanner := bufio.NewScanner(lines); scanner.Scan(); {
			line := scanner.Text()
			if isPackageLine(line) {
				count++
				report.say("%d packages compiled", count)
				continue
			}
			if !strings.HasPrefix(line, "go: downloading ") {
				fmt.Fprintln(&said, line)
			} else {
				report.say("downloading modules")
			}
		}
		_, _ = io.Copy(io.Discard, lines) // A line too long for the scanner must not stop the build.
		messages <- said.String()
	}()
	err := cmd.Run()
	_ = writer.Close() // A pipe within the process: closing can't fail.
	said := <-messages
	if err == nil {
		return nil
	}
	if missing := noGo(err); missing != nil {
		return missing
	}
	if strings.Contains(said, syscall.ENOSPC.Error()) {
		return fmt.Errorf("compiling: %w (or the folders of Go itself: GOCACHE, GOTMPDIR)", Remedy(syscall.ENOSPC))
	}
	return fmt.Errorf("%w: %s", err, lastLines(said, 15))
}

// noGo returns what to do about err if it is that there is no go command, else nil.
func noGo(err error) error {
	if !errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("%w; install Go, in the version that go.mod names: it builds what is not in the cache yet", err)
}

// exitText returns what a failed command wrote to stderr.
func exitText(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return errors.New(lastLines(string(exit.Stderr), 15))
	}
	return nil
}

func isPackageLine(line string) bool {
	return line != "" && !strings.ContainsAny(line, " :#\t")
}

func lastLines(text string, most int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

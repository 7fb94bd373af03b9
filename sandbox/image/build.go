package image

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	if complete(dir, c.outputs) {
		report.say("cached")
		return dir, nil
	}
	start := time.Now()
	err = fill(dir, func(temporary string) error {
		return b.compile(ctx, c, stamps, temporary, report)
	})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	b.built(c.name, start)
	if !complete(dir, c.outputs) {
		return "", fmt.Errorf("building %s: the build left no %s", c.name, strings.Join(c.outputs, ", "))
	}
	return dir, nil
}

func (b *Builder) built(name string, start time.Time) {
	if b.Built != nil {
		b.Built(name, time.Since(start))
	}
}

// cached tells whether build would find c in the cache.
func (b *Builder) cached(c component) bool {
	key, _, err := b.key(c)
	return err == nil && complete(filepath.Join(b.Cache, "bin", c.name+"-"+key), c.outputs)
}

// key hashes everything that decides what a build makes: the module's files, the flags, the compiler, the platform.
// The module is built outside the workspace, so that the module's own go.mod and go.sum are the whole truth.
func (b *Builder) key(c component) (key string, stamps []string, err error) {
	folder := filepath.Join(b.Root, c.module)
	goMod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return "", nil, fmt.Errorf("reading the module: %w; run the sandbox inside the repository, or name it by --source", err)
	}
	for _, s := range c.stamp {
		if strings.Contains(s, kubernetesVersion) {
			version, err := required(goMod, folder, "k8s.io/kubernetes")
			if err != nil {
				return "", nil, err
			}
			s = strings.ReplaceAll(s, kubernetesVersion, version)
		}
		stamps = append(stamps, s)
	}
	hash := sha256.New()
	goos, goarch := b.platform()
	fmt.Fprintln(hash, runtime.Version(), goos, goarch, c.packages, c.tags, stamps)
	if err := hashFolder(hash, folder); err != nil {
		return "", nil, err
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], stamps, nil
}

// hashFolder adds the names and contents of a module's Go files to hash, nested modules left out.
func hashFolder(hash io.Writer, folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != folder && fileExists(filepath.Join(path, "go.mod")) {
				return filepath.SkipDir
			}
			return nil
		}
		isSource := name == "go.mod" || name == "go.sum" || filepath.Ext(name) == ".go"
		if !isSource || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n", filepath.ToSlash(relative), len(data))
		_, err = hash.Write(data)
		return err
	})
}

// compile runs `go build` for c into dir. CGO_ENABLED and -trimpath are the same for everything in this project, tests
// and linters included: with others, Go would compile Kubernetes once more.
func (b *Builder) compile(ctx context.Context, c component, stamps []string, dir string, report Report) error {
	ldflags := "-s -w"
	for _, s := range stamps {
		ldflags += " -X " + s
	}
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=" + ldflags, "-o", dir + string(filepath.Separator)}
	if c.tags != "" {
		args = append(args, "-tags="+c.tags)
	}
	cmd := b.goCommand(ctx, c.module, append(args, c.packages...)...)
	return runReporting(cmd, report)
}

// goCommand is the go command in a folder below the root, for the target's platform and outside the workspace.
func (b *Builder) goCommand(ctx context.Context, folder string, args ...string) *exec.Cmd {
	goos, goarch := b.platform()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(b.Root, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS="+goos, "GOARCH="+goarch)
	cmd.WaitDelay = 10 * time.Second // The compilers that go started may hold the pipe a little longer than go.
	return cmd
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
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w; install Go, it builds the components where no registry answers", err)
	}
	return fmt.Errorf("%w: %s", err, lastLines(said, 15))
}

func isPackageLine(line string) bool {
	return line != "" && !strings.ContainsAny(line, " :#\t")
}

func lastLines(text string, most int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// complete tells whether dir holds every output.
func complete(dir string, outputs []string) bool {
	return !slices.ContainsFunc(outputs, func(name string) bool { return !fileExists(filepath.Join(dir, name)) })
}

// making begins the names of folders that are being filled; abandoned is the age at which one is the leftover of a command
// that was killed, since no build takes that long.
const (
	making    = ".making-"
	abandoned = 24 * time.Hour
)

// fill makes dir in one step: work fills a temporary folder beside it, which then takes dir's name. A command that is
// killed in between leaves no half-filled dir, and a later one removes what it left.
func fill(dir string, work func(temporary string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	removeAbandoned(filepath.Dir(dir))
	temporary, err := os.MkdirTemp(filepath.Dir(dir), making)
	if err != nil {
		return fmt.Errorf("making a folder in the cache: %w", err)
	}
	defer os.RemoveAll(temporary)
	if err := work(temporary); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(temporary, dir)
}

// removeAbandoned removes old temporary folders. One that can't be removed costs space, and no more.
func removeAbandoned(parent string) {
	leftovers, _ := filepath.Glob(filepath.Join(parent, making+"*")) // The pattern is well-formed, the only error there is.
	for _, leftover := range leftovers {
		if info, err := os.Stat(leftover); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(leftover)
		}
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

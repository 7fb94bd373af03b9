package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// OperatorProgram is the name of the operator's program, whatever its package is called, and its path in its image.
const OperatorProgram = "operator"

// Program is an operator's program and how it is built.
type Program struct {
	// Module is the folder of its module, and Main its main package in that: "./cmd".
	Module, Main string
	// Flags are further flags of go build.
	Flags []string
	// Sources are the folders of the module, with nested modules, whose Go files decide what the build makes, beside go.mod and
	// go.sum. A build of the same files is then found in the cache without asking Go, and only a go.work of Module takes part. Without
	// them Go is asked each time, with the user's own settings: it knows what changed, files that are embedded and a workspace's
	// other modules included.
	Sources []string
}

// component is a Program whose sources are known.
func (p Program) component() component {
	// It changes with every edit, so that builds of it would pile up.
	return component{
		name: OperatorProgram, module: p.Module, sources: p.Sources, packages: []string{p.Main}, flags: p.Flags,
		outputs: []string{OperatorProgram}, rename: true, keep: keptOperators,
	}
}

// keptOperators is how many builds of operators to keep, at least.
const keptOperators = 5

// Operator builds an operator, unless this very one is in the cache, and puts it into an image with the certificates of the authorities
// that this machine trusts, and nothing else: operators call services of others.
func (b *Builder) Operator(ctx context.Context, p Program, report Report) (Image, error) {
	build := b.askGo
	if len(p.Sources) > 0 {
		build = func(ctx context.Context, p Program, report Report) (string, error) {
			return b.build(ctx, p.component(), report)
		}
	}
	dir, err := build(ctx, p, report)
	if err != nil {
		return Image{}, err
	}
	return b.operatorImage(dir)
}

// operatorImage puts the program that was built into a folder of the cache into an image. Its name has the hash of all that is in it.
func (b *Builder) operatorImage(dir string) (Image, error) {
	key, config := keyOf(dir), v1.Config{User: "65532:65532"}
	certificates, trust, err := b.certificates()
	if err != nil {
		return Image{}, err
	}
	var below []v1.Layer
	if certificates != nil {
		below = []v1.Layer{certificates}
		hash := sha256.Sum256([]byte(key + trust))
		key = hex.EncodeToString(hash[:8])
	}
	image, err := b.single(OperatorProgram, filepath.Join(dir, OperatorProgram), OperatorProgram, keyOf(dir), config, below...)
	if err != nil {
		return Image{}, err
	}
	return local(OperatorProgram, key, image), nil
}

// Operator builds an operator and returns its path, and the key of what it was built from: equal ones have equal keys.
func (p *Programs) Operator(ctx context.Context, program Program, report Report) (path, key string, err error) {
	var dir string
	if len(program.Sources) > 0 {
		dir, err = p.source.inTurn(ctx, program.component(), report)
	} else {
		dir, err = p.source.alone(ctx, report, func() (string, error) { return p.source.askGo(ctx, program, report) })
	}
	if err != nil {
		return "", "", err
	}
	return filepath.Join(dir, OperatorProgram), keyOf(dir), nil
}

// askGo has Go build a program where it built it last, which takes it less than a second if nothing changed, and returns a folder of
// the cache with what it built, named by its hash.
func (b *Builder) askGo(ctx context.Context, p Program, report Report) (string, error) {
	dir, err := b.buildLatest(ctx, p, report)
	if err != nil {
		return "", fmt.Errorf("building %s of %s: %w", p.Main, p.Module, err)
	}
	return dir, nil
}

func (b *Builder) buildLatest(ctx context.Context, p Program, report Report) (string, error) {
	start := time.Now()
	goos, goarch := b.platform()
	place := sha256.Sum256(fmt.Appendf(nil, "%q", slices.Concat([]string{p.Module, p.Main, goos, goarch}, p.Flags)))
	folder := filepath.Join(b.Cache, "operator", hex.EncodeToString(place[:8]))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w; %s", err, cacheRemedy)
	}
	lock := flock.New(filepath.Join(folder, "lock")) // Two sandboxes may run the same operator.
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("waiting for another build of it: %w", err)
	}
	defer func() { _ = lock.Close() }() // The process's end would free it, too.
	latest := filepath.Join(folder, OperatorProgram)
	args := slices.Concat([]string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", latest}, p.Flags, []string{p.Main})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	cmd.WaitDelay = 10 * time.Second // As in goCommand.
	if err := runReporting(cmd, report); err != nil {
		return "", err
	}
	key, err := hashOf(latest)
	if err != nil {
		return "", err
	}
	dir, outputs := filepath.Join(b.Cache, "bin", OperatorProgram+"-"+key), []string{OperatorProgram}
	if use(dir, outputs) {
		report.say("cached")
		return dir, nil
	}
	// A copy: Go will write the next one over this, and a process may run from the other.
	err = fill(dir, outputs, func(temporary string) error { return copyFile(latest, filepath.Join(temporary, OperatorProgram)) })
	if err != nil {
		return "", err
	}
	b.built(OperatorProgram, start, report)
	prune(filepath.Join(b.Cache, "bin"), OperatorProgram, keptOperators)
	prune(filepath.Join(b.Cache, "layers"), OperatorProgram, keptOperators)
	return dir, nil
}

// hashOf is a file's hash, in the form of a key.
func hashOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading what was built: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("reading what was built: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

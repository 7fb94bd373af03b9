package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// copyTree copies the files of a repository that git knows or does not ignore to a new repository.
func copyTree(ctx context.Context, root, tree string) error {
	list, err := git(ctx, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // It is deleted, and the deletion is not committed.
		}
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		to := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", "release"},
		{"config", "user.email", "release@example.com"},
		{"config", "commit.gpgsign", "false"},
		{"add", "--all"},
		{"commit", "--quiet", "--message=copy"},
	} {
		if _, err := git(ctx, tree, args...); err != nil {
			return err
		}
	}
	return nil
}

// pack sets the version of every module in a tree, and writes the modules to a folder that GOPROXY can name. The tree is a
// git repository, because the go command makes a module's zip file from git's files. A zip file has only its own module's
// files, so checksums of the modules before it can stand in its go.sum, and all of them are of one commit.
func pack(ctx context.Context, tree, version, proxy string) error {
	if err := setWork(filepath.Join(tree, "go.work"), version); err != nil {
		return err
	}
	sums := map[string]sum{}
	for _, folder := range modules {
		if err := setVersion(filepath.Join(tree, folder), version, sums); err != nil {
			return err
		}
		if _, err := git(ctx, tree, "add", "--all"); err != nil {
			return err
		}
		id, err := git(ctx, tree, "write-tree")
		if err != nil {
			return err
		}
		m := module.Version{Path: path.Join(repository, folder), Version: version}
		if sums[m.Path], err = packModule(tree, id, folder, m, proxy); err != nil {
			return fmt.Errorf("packing %s: %w", m, err)
		}
	}
	return nil
}

// packModule writes the files of one module.
func packModule(tree, id, folder string, m module.Version, proxy string) (sum, error) {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return sum{}, err
	}
	to := filepath.Join(proxy, escaped, "@v")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return sum{}, err
	}
	goMod, err := os.ReadFile(filepath.Join(tree, folder, "go.mod"))
	if err != nil {
		return sum{}, err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{m.Version, time.Now().UTC()})
	if err != nil {
		return sum{}, err
	}
	for name, data := range map[string][]byte{m.Version + ".mod": goMod, m.Version + ".info": info, "list": []byte(m.Version + "\n")} {
		if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
			return sum{}, err
		}
	}
	archive := filepath.Join(to, m.Version+".zip")
	if err := writeZip(archive, tree, id, strings.TrimPrefix(folder, "."), m); err != nil {
		return sum{}, err
	}
	var s sum
	if s.zip, err = dirhash.HashZip(archive, dirhash.Hash1); err != nil {
		return sum{}, err
	}
	s.goMod, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(goMod))), nil
	})
	return s, err
}

func writeZip(to, tree, id, folder string, m module.Version) error {
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := zip.CreateFromVCS(file, m, tree, id, folder); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// git runs git in a folder, and returns its output without the newline at the end.
func git(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = folder
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// release is one run of the program.
type release struct {
	root    string // folder of the repository
	version string
	remote  string
	dryRun  bool
	out     io.Writer
}

// run checks everything first, so that a failure changes nothing. Only the commit, the tags and the push follow the checks.
func (r release) run(ctx context.Context) error {
	if err := checkVersion(r.version); err != nil {
		return err
	}
	branch, err := r.checkRepository(ctx)
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return fmt.Errorf("reading the changelog: %w", err)
	}
	if err := checkChangelog(string(changelog), r.version); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	tree, proxy := filepath.Join(scratch, "tree"), filepath.Join(scratch, "proxy")
	if err := copyTree(ctx, r.root, tree); err != nil {
		return err
	}
	if err := pack(ctx, tree, r.version, proxy); err != nil {
		return err
	}
	changed, err := differing(r.root, tree)
	if err != nil {
		return err
	}
	if r.dryRun {
		return r.print(ctx, tree, changed, branch)
	}
	return r.publish(ctx, tree, changed, branch)
}

// checkVersion accepts versions of major 0 and 1: a higher one needs another module path.
func checkVersion(version string) error {
	if semver.Canonical(version) != version || module.CheckPathMajor(version, "") != nil {
		return fmt.Errorf("invalid version %q: want vMAJOR.MINOR.PATCH or vMAJOR.MINOR.PATCH-PRERELEASE, with major 0 or 1", version)
	}
	if module.IsPseudoVersion(version) {
		return fmt.Errorf("invalid version %q: a pseudo-version can't be tagged", version)
	}
	return nil
}

// checkRepository fails if there are changes that are not committed, or a tag of the version. It returns the branch.
func (r release) checkRepository(ctx context.Context) (branch string, err error) {
	status, err := git(ctx, r.root, "status", "--porcelain")
	if err != nil {
		return "", err
	}
	if status != "" {
		return "", fmt.Errorf("checking the tree: there are changes that are not committed:\n%s\ncommit or stash them", status)
	}
	for _, tag := range tags(r.version) {
		if found, err := git(ctx, r.root, "tag", "--list", tag); err != nil {
			return "", err
		} else if found != "" {
			return "", fmt.Errorf("checking the tags: %s exists; choose another version", tag)
		}
	}
	if _, err := git(ctx, r.root, "remote", "get-url", r.remote); err != nil {
		return "", fmt.Errorf("checking the remote: %w; add it or pass --remote", err)
	}
	branch, err = git(ctx, r.root, "symbolic-ref", "--short", "HEAD")
	if err != nil {
		return "", fmt.Errorf("checking the branch: %w; check out a branch", err)
	}
	return branch, nil
}

// checkChangelog fails unless the changelog has a dated entry for the version, with text below it.
func checkChangelog(changelog, version string) error {
	number := strings.TrimPrefix(version, "v")
	_, entry, ok := strings.Cut("\n"+changelog, "\n## ["+number+"] - ")
	if !ok {
		return fmt.Errorf("checking CHANGELOG.md: no entry %q; rename the section Unreleased", "## ["+number+"] - YYYY-MM-DD")
	}
	entry, _, _ = strings.Cut(entry, "\n## ")
	date, text, _ := strings.Cut(entry, "\n")
	if _, err := parseDate(date); err != nil {
		return fmt.Errorf("checking CHANGELOG.md: date of %s: %w", version, err)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "[") {
			return nil
		}
	}
	return fmt.Errorf("checking CHANGELOG.md: the entry of %s is empty; describe the changes", version)
}

// tags returns the tags of a version, one for each module.
func tags(version string) []string {
	var all []string
	for _, folder := range modules {
		all = append(all, path.Join(folder, version))
	}
	return all
}

// differing returns the module files that differ between two trees.
func differing(old, changed string) ([]string, error) {
	var names []string
	for _, name := range moduleFiles() {
		a, err := os.ReadFile(filepath.Join(old, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		b, err := os.ReadFile(filepath.Join(changed, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if !bytes.Equal(a, b) {
			names = append(names, name)
		}
	}
	return names, nil
}

// push returns the arguments of git that publish the commit and the tags, all or none.
func (r release) push(branch string) []string {
	return slices.Concat([]string{"push", "--atomic", r.remote, "HEAD:refs/heads/" + branch}, tags(r.version))
}

func (r release) message() string { return "release " + r.version }

// print prints what publish would do.
func (r release) print(ctx context.Context, tree string, changed []string, branch string) error {
	diff, err := git(ctx, tree, "diff", "HEAD", "--unified=0")
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "dry run: nothing is changed\n\n%s\n\nwould change: %s\n", diff, strings.Join(changed, " "))
	fmt.Fprintf(r.out, "would commit: %s\n", r.message())
	for _, tag := range tags(r.version) {
		fmt.Fprintf(r.out, "would tag: %s\n", tag)
	}
	fmt.Fprintf(r.out, "would push: git %s\n", strings.Join(r.push(branch), " "))
	return nil
}

// publish changes the repository, and pushes.
func (r release) publish(ctx context.Context, tree string, changed []string, branch string) error {
	for _, name := range changed {
		data, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.root, name), data, 0o644); err != nil {
			return err
		}
	}
	if _, err := git(ctx, r.root, "add", "--all"); err != nil {
		return err
	}
	if _, err := git(ctx, r.root, "commit", "--allow-empty", "--quiet", "--message", r.message()); err != nil {
		return err
	}
	for _, tag := range tags(r.version) {
		if _, err := git(ctx, r.root, "tag", "--annotate", "--message", r.message(), tag); err != nil {
			return err
		}
		fmt.Fprintln(r.out, "tagged", tag)
	}
	if _, err := git(ctx, r.root, r.push(branch)...); err != nil {
		return fmt.Errorf("pushing %s: %w; the commit and the tags exist: run `git %s`", r.version, err, strings.Join(r.push(branch), " "))
	}
	fmt.Fprintln(r.out, "pushed", r.version, "to", r.remote)
	return nil
}

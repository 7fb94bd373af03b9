package input

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"

// render writes a kustomization and renders it.
func render(t *testing.T, kustomization string, trusted bool) error {
	t.Helper()
	top := t.TempDir()
	folder := filepath.Join(top, "project")
	write(t, filepath.Join(folder, "kustomization.yaml"), kustomization)
	write(t, filepath.Join(folder, "a.yaml"), settings)
	write(t, filepath.Join(folder, "base", "kustomization.yaml"), "resources: [../a2.yaml]\n")
	write(t, filepath.Join(folder, "https:", "github.com", "a", "b", "kustomization.yaml"), "resources: []\n")
	write(t, filepath.Join(top, "outside", "kustomization.yaml"), "resources: [b.yaml]\n")
	write(t, filepath.Join(top, "outside", "b.yaml"), strings.Replace(settings, "name: a", "name: b", 1))
	if err := errors.Join(syscall.Mkfifo(filepath.Join(folder, "pipe.yaml"), 0o600), os.Symlink(filepath.Join(top, "outside"), filepath.Join(folder, "linked")),
		os.Symlink("/dev/zero", filepath.Join(folder, "zero.yaml")), os.Symlink(filepath.Join(top, "outside", "b.yaml"), filepath.Join(folder, "b.yaml"))); err != nil {
		t.Fatal(err)
	}
	for name, text := range bombs() {
		write(t, filepath.Join(folder, "bombs", name+".yaml"), settings+strings.NewReplacer("---\n", "---\n"+settings).Replace(text))
	}
	disk, err := NewDisk(folder, trusted)
	if err != nil {
		t.Fatal(err)
	}
	return within(t, "rendering "+kustomization, func() error {
		objects, err := disk.Render(folder)
		if err == nil && len(objects) == 0 {
			err = errors.New("no objects")
		}
		return err
	})
}

func TestDiskRefusesRemoteParts(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // Without git: a missed case fails with another error.
	for _, kustomization := range []string{
		"resources: ['https://github.com/a/b?ref=x']", "resources: ['HTTPS://github.com/a/b']", "resources: ['github.com/a/b']", "resources: ['GitHub.com:a/b']", "resources: ['git@github.com:a/b']",
		"resources: ['git::https://x.test/a/b.git']", "resources: ['GIT::github.com/a/b']", "resources: ['ssh://git@x.test/a/b']", "resources: ['file:///tmp/a.git']", "resources: ['user@host:a/b']",
		"resources: ['http://x.test/a.yaml']", "RESOURCES: ['github.com/a/b']", "Resources: ['github.com/a/b']", "bases: ['github.com/a/b']", "components: ['github.com/a/b']", "resources: ['gh:a/b']",
		"resources: [a.yaml]\npatches: [{path: 'https://x.test/a'}]", "resources: [a.yaml]\npatchesStrategicMerge: ['https://x.test/a']", "resources: [a.yaml]\ncrds: ['https://x.test/a']",
		"resources: [a.yaml]\nconfigurations: ['https://x.test/a']", "resources: [a.yaml]\nopenapi: {path: 'https://x.test/a'}", "resources: [a.yaml]\nreplacements: [{path: 'https://x.test/a'}]",
		"configMapGenerator: [{name: a, files: ['k=https://x.test/a']}]", "configMapGenerator: [{name: a, files: ['https://x.test/a']}]", "secretGenerator: [{name: a, envs: ['https://x.test/a']}]",
		"resources: [a.yaml]\npatchesJson6902: [{target: {kind: ConfigMap, name: a, version: v1}, path: 'Http://x.test/a'}]",
		"x: &x ['github.com/a/b']\nresources: *x", "<<: {resources: ['github.com/a/b']}", "resources: [a.yaml]\ntransformers: [t.yaml]", "resources: [a.yaml]\ngenerators: [t.yaml]", "resources: [a.yaml]\nvalidators: ['https://x.test/a']",
	} {
		if err := render(t, kustomization, false); err == nil || !strings.Contains(err.Error(), ErrUntrusted.Error()) {
			t.Errorf("rendering %s: %v, want %v", kustomization, err, ErrUntrusted)
		}
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	for kustomization, want := range map[string]string{
		"resources: [a.yaml]": "",
		"resources: [a.yaml]\ncommonAnnotations: {a: 'https://x.test/a'}\nimages: [{name: 'github.com/a/b', newName: x}]":                   "",
		"resources: [a.yaml]\npatches: [{patch: \"apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: a}\\ndata: {a: 'https://x.test'}\"}]": "",
		"configMapGenerator: [{name: a, literals: ['a=https://x.test']}]":                                                                   "",
		"resources: [../outside]":  ErrUntrusted.Error(),
		"resources: [linked]":      ErrUntrusted.Error(),
		"resources: [b.yaml]":      "", // kustomize itself refuses it; see below.
		"resources: [pipe.yaml]":   "is a pipe",
		"resources: [zero.yaml]":   "security", // kustomize itself refuses it.
		"resources: [none.yaml]":   "none.yaml",
		"resources: [base]":        "a2.yaml",
		"resources: [/etc/passwd]": "security",
	} {
		err := render(t, kustomization, false)
		if kustomization == "resources: [b.yaml]" {
			want = "security"
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("rendering %s: %v, want %q", kustomization, err, want)
		}
	}
	for name := range bombs() {
		if err := render(t, "resources: ['bombs/"+name+".yaml']", true); err == nil || !strings.Contains(err.Error(), ErrTooLarge.Error()) {
			t.Errorf("rendering the bomb %s: %v, want %v", name, err, ErrTooLarge)
		}
	}
	if err := render(t, "resources: [../outside, linked]", true); err == nil || strings.Contains(err.Error(), ErrUntrusted.Error()) {
		t.Errorf("rendering a trusted project: %v, want only the conflict of the two", err)
	}
	if err := render(t, "resources: [../outside]", true); err != nil {
		t.Errorf("rendering a trusted project: %v", err)
	}
}

// Kustomizations that include a base twice, with two prefixes, on many levels are small but have
// exponentially many objects.
func TestDiskLimitsReads(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "0", "kustomization.yaml"), "resources: [a.yaml]\n")
	write(t, filepath.Join(folder, "0", "a.yaml"), settings)
	const levels = 30
	for i := 1; i <= levels; i++ {
		for _, prefix := range []string{"a", "b"} {
			write(t, filepath.Join(folder, fmt.Sprint(prefix, i), "kustomization.yaml"), fmt.Sprintf("namePrefix: %s\nresources: [../%d]\n", prefix, i-1))
		}
		write(t, filepath.Join(folder, fmt.Sprint(i), "kustomization.yaml"), fmt.Sprintf("resources: [../a%d, ../b%[1]d]\n", i))
	}
	disk, err := NewDisk(folder, true)
	if err != nil {
		t.Fatal(err)
	}
	err = within(t, "rendering", func() error {
		_, err := disk.Render(filepath.Join(folder, fmt.Sprint(levels)))
		return err
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("Render = %v, want %v", err, ErrTooLarge)
	}
	if objects, err := disk.Render(filepath.Join(folder, "3")); err != nil || len(objects) != 8 {
		t.Errorf("Render of three levels = %d objects, %v, want 8", len(objects), err)
	}
}

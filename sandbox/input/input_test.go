package input

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within fails the test if a call takes longer than any input may.
func within(t *testing.T, what string, call func() error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		t.Fatalf("%s did not return", what)
		return nil
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFileRefusesOtherThanFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pipe, huge, link := filepath.Join(folder, "pipe"), write(t, filepath.Join(folder, "huge"), ""), filepath.Join(folder, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Truncate(huge, 1<<40), os.Symlink(pipe, link)); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(folder, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	for path, want := range map[string]string{
		pipe: "is a pipe", link: "is a pipe", folder: "is a folder", "/dev/zero": "is a device", "/dev/null": "is a device", "/dev/full": "is a device",
		huge: "too large: more than 4 MB", filepath.Join(folder, "none"): "no such file", filepath.Join(folder, "socket"): "no such device",
	} {
		err := within(t, "reading "+path, func() error { _, err := ReadFile(path, MaxConfig); return err })
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("ReadFile(%s) = %v, want %q", path, err, want)
		}
	}
	err = within(t, "reading zeros", func() error {
		zeros, err := os.Open("/dev/zero")
		if err != nil {
			return err
		}
		defer zeros.Close()
		_, err = Read(zeros, MaxConfig)
		return err
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read of zeros = %v, want %v", err, ErrTooLarge)
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "file"), "four")
	link := file + ".link"
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if data, err := ReadFile(path, 4); err != nil || string(data) != "four" {
			t.Errorf("ReadFile(%s) = %q, %v; want its content", path, data, err)
		}
	}
	if _, err := ReadFile(file, 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadFile with a limit of 3 bytes = %v, want %v", err, ErrTooLarge)
	}
	if data, err := ReadOwn(file); err != nil || string(data) != "four" {
		t.Errorf("ReadOwn = %q, %v; want its content", data, err)
	}
	if _, err := ReadOwn(link); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("ReadOwn of a symbolic link = %v, want %v", err, syscall.ELOOP)
	}
}

// bomb returns YAML whose aliases expand to width^depth items.
func bomb(width, depth int, flow bool) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i <= depth; i++ {
		alias := fmt.Sprintf("*a%d", i-1)
		if flow {
			fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(alias+", ", width), ", "))
			continue
		}
		fmt.Fprintf(&b, "a%d: &a%d\n%s", i, i, strings.Repeat("- "+alias+"\n", width))
	}
	return b.String()
}

// bombs are YAML texts that are small until their aliases are expanded.
func bombs() map[string]string {
	return map[string]string{
		"lists":           bomb(10, 9, true),
		"blocks":          bomb(10, 9, false),
		"deep":            bomb(2, 40, true),
		"keys":            mappings(12),
		"a large text":    "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.TrimSuffix(strings.Repeat("*a, ", 100), ", ") + "]\n",
		"second document": "kind: A\n---\n" + bomb(10, 9, true),
		"itself":          "a: &a [*a]\n",
	}
}

// towers are YAML texts of a few kilobytes with thousands of levels.
func towers() map[string]string {
	const height = 3000
	var block, keys, aliases strings.Builder
	aliases.WriteString("a0: &a0 x\n")
	for i := range height {
		fmt.Fprintf(&aliases, "a%d: &a%[1]d [*a%d]\n", i+1, i)
		block.WriteString(strings.Repeat(" ", i) + "a:\n")
		keys.WriteString(strings.Repeat(" ", i) + "-\n")
	}
	return map[string]string{
		"maps": strings.Repeat("{a: ", height) + "1" + strings.Repeat("}", height), "lists": strings.Repeat("[", height) + strings.Repeat("]", height),
		"lists in a line": strings.Repeat("- ", height) + "1", "block": block.String(), "block of lists": keys.String(), "keys": strings.Repeat("? ", height) + "1",
		"both": strings.Repeat("{[", height) + strings.Repeat("]}", height), "second": "a: 1\n---\n" + strings.Repeat("[", height) + strings.Repeat("]", height),
		"aliases": aliases.String(), "JSON": strings.Repeat(`{"a":`, height) + "1" + strings.Repeat("}", height),
	}
}

func TestCheckYAMLDepth(t *testing.T) {
	t.Parallel()
	for name, text := range towers() {
		if err := within(t, name, func() error { return CheckYAML([]byte(text)) }); !errors.Is(err, ErrTooLarge) {
			t.Errorf("CheckYAML(%s) = %v, want %v", name, err, ErrTooLarge)
		}
	}
	for _, text := range []string{"a: '" + strings.Repeat("{", 5000) + "'", "a: |\n" + strings.Repeat(" ", 5000) + "b", strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		if err := CheckYAML([]byte(text)); err != nil {
			t.Errorf("CheckYAML(%.20q…) = %v, want nil", text, err)
		}
	}
}

func mappings(depth int) string {
	text := "m0: &m0 {k: v}\n"
	for i := 1; i <= depth; i++ {
		text += fmt.Sprintf("m%d: &m%d {k0: *m%[3]d, k1: *m%[3]d, k2: *m%[3]d, k3: *m%[3]d, k4: *m%[3]d}\n", i, i, i-1)
	}
	return text
}

func TestCheckYAML(t *testing.T) {
	t.Parallel()
	for name, text := range bombs() {
		if err := within(t, name, func() error { return CheckYAML([]byte(text)) }); !errors.Is(err, ErrTooLarge) {
			t.Errorf("CheckYAML(%s) = %v, want %v", name, err, ErrTooLarge)
		}
	}
	for _, text := range []string{"", "a: 1", "a: &x {b: 1}\nc: *x\n", bomb(10, 3, true), "a: [*", "*&", "a: *none\nb: &b", "a: '*' # & *", "\x00*&"} {
		if err := CheckYAML([]byte(text)); err != nil {
			t.Errorf("CheckYAML(%q) = %v, want nil", text, err)
		}
	}
}

func FuzzCheckYAML(f *testing.F) {
	for _, text := range bombs() {
		if len(text) < 10000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := CheckYAML(data); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Errorf("CheckYAML = %v, want nil or %v", err, ErrTooLarge)
		}
	})
}

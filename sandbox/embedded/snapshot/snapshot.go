// Package snapshot keeps the objects that every new embedded cluster has: what the API server
// creates when it starts for the first time, the kinds and the permissions of the components. An up
// that writes them into a new etcd does not wait until the API server creates and publishes them.
//
// A snapshot has no secret, and nothing that must differ between two sandboxes: no Secret, no
// ConfigMap with an authority, no webhook with an authority or a port, no Namespace, because its UID
// in kube-system identifies a cluster. Each sandbox still creates its own authorities and its own
// key for service account tokens. So a program that reads or copies a snapshot gets no
// access to any sandbox.
//
// A snapshot only saves time. The up that used it applies all manifests afterwards, like any other
// up, and writes each object that differs from its manifest.
package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/input"
)

// kinds are the prefixes of the keys in etcd under which the API server keeps the objects of a
// snapshot. Their objects are equal in all sandboxes with equal inputs.
var kinds = []string{
	"/registry/apiextensions.k8s.io/customresourcedefinitions/",
	"/registry/apiregistration.k8s.io/apiservices/",
	"/registry/clusterrolebindings/",
	"/registry/clusterroles/",
	"/registry/flowschemas/",
	"/registry/priorityclasses/",
	"/registry/prioritylevelconfigurations/",
	"/registry/rolebindings/",
	"/registry/roles/",
	"/registry/serviceaccounts/",
}

// Entry is an object as the API server stores it in etcd.
type Entry struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// Store is the place of one snapshot in the cache. Its methods can be called by several commands at
// the same time.
type Store struct {
	// Cache is the folder of the cache.
	Cache string
	// Key identifies everything that the objects depend on; see [Key].
	Key string
}

// Key returns the key of a snapshot. It changes with each of the inputs, which must be encodable as
// JSON, and with the form of snapshots.
func Key(inputs ...any) (string, error) {
	content, err := json.Marshal([]any{form, kinds, inputs})
	if err != nil {
		return "", fmt.Errorf("identifying the snapshot of the cluster: %w", err)
	}
	return cache.Key(content), nil
}

var number = regexp.MustCompile(`\b\d+\b`)

// Neutral returns arguments of programs as an input of [Key]: without the folder and the ports, which
// differ between sandboxes with equal objects.
func Neutral(arguments []string, folder string, ports ...component.Ports) []string {
	neutral := make([]string, 0, len(arguments))
	for _, argument := range arguments {
		neutral = append(neutral, number.ReplaceAllStringFunc(strings.ReplaceAll(argument, folder, ""), func(text string) string {
			for _, chosen := range ports {
				for _, port := range chosen {
					if text == strconv.Itoa(port) {
						return "PORT"
					}
				}
			}
			return text
		}))
	}
	return neutral
}

const (
	// form is the version of the file's form.
	form = 1
	// prefix and file name the folder in the cache, and the file in it.
	prefix, file = "etcd", "objects.json"
	// limit is the size of the largest snapshot, in bytes: fifty times the one of the reference operator.
	limit = 128 << 20
	// kept is the number of recently used snapshots that a new one does not displace.
	kept = 3
)

func (s Store) folder() string {
	return filepath.Join(s.Cache, cache.Snapshots, prefix+"-"+s.Key)
}

// content is the second line of the file. The first line is its SHA-256 hash.
type content struct {
	// Key is the key of the store that saved it.
	Key     string  `json:"key"`
	Entries []Entry `json:"entries"`
}

// Load returns the snapshot, or no entries if there is none. If it is damaged or from another store,
// Load deletes it and returns an error.
func (s Store) Load() ([]Entry, error) {
	if _, err := os.Stat(s.folder()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	cache.Use(s.folder(), []string{file})
	data, err := input.ReadFile(filepath.Join(s.folder(), file), limit)
	if err == nil {
		var entries []Entry
		if entries, err = s.parse(data); err == nil {
			return entries, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("reading the snapshot of the cluster: %w", err), os.RemoveAll(s.folder()))
}

func (s Store) parse(data []byte) ([]Entry, error) {
	sum, rest, _ := bytes.Cut(data, []byte("\n"))
	if string(sum) != checksum(rest) {
		return nil, errors.New("its checksum is wrong")
	}
	var c content
	if err := json.Unmarshal(rest, &c); err != nil {
		return nil, err
	}
	if c.Key != s.Key {
		return nil, fmt.Errorf("it has the key %q, want %q", c.Key, s.Key)
	}
	for _, e := range c.Entries {
		if !slices.ContainsFunc(kinds, func(kind string) bool { return bytes.HasPrefix(e.Key, []byte(kind)) }) {
			return nil, fmt.Errorf("it has the object %q, whose kind must not be in a snapshot", e.Key)
		}
	}
	return c.Entries, nil
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Save keeps a snapshot, unless there is one. It deletes old snapshots of other keys.
func (s Store) Save(entries []Entry) error {
	data, err := json.Marshal(content{Key: s.Key, Entries: entries})
	if err != nil {
		return fmt.Errorf("saving the snapshot of the cluster: %w", err)
	}
	_, err = cache.Ensure(s.folder(), []string{file}, func(temporary string) error {
		return os.WriteFile(filepath.Join(temporary, file), slices.Concat([]byte(checksum(data)+"\n"), data), 0o600)
	})
	if err != nil {
		return fmt.Errorf("saving the snapshot of the cluster: %w", err)
	}
	cache.Prune(filepath.Join(s.Cache, cache.Snapshots), prefix, kept)
	return nil
}

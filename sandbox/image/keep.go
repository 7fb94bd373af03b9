package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// KeepFolder returns a folder of the cache with exactly these files, by their paths below it, whose name has their hash. It
// writes them if they are not there.
func KeepFolder(cache, name string, files map[string][]byte) (string, error) {
	hash := sha256.New()
	paths := slices.Sorted(maps.Keys(files))
	for _, path := range paths {
		fmt.Fprintf(hash, "%s %d\n", path, len(files[path]))
		hash.Write(files[path])
	}
	dir := filepath.Join(cache, "bin", name+"-"+hex.EncodeToString(hash.Sum(nil))[:16])
	if use(dir, paths) {
		return dir, nil
	}
	err := fill(dir, paths, func(temporary string) error {
		for _, path := range paths {
			full := filepath.Join(temporary, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(full, files[path], 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("keeping %s in the cache: %w", name, err)
	}
	return dir, nil
}

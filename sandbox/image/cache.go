package image

import (
	"fmt"
	"os"
	"path/filepath"
)

// cacheFolders are what Builder and Registry keep in the cache.
var cacheFolders = []string{"bin", "layers", "operator", "registry", "rootfs"}

// RemoveCache deletes everything that was built or pulled into the cache folder, and the folder itself if nothing else
// is in it.
func RemoveCache(folder string) error {
	for _, name := range cacheFolders {
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("removing the cache: %w", err)
		}
	}
	if entries, err := os.ReadDir(folder); err == nil && len(entries) == 0 {
		return os.Remove(folder)
	}
	return nil
}

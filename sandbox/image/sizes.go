package image

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// sizesFile is the file of a folder in the cache that says how long its outputs are. A disk that was full, or a machine that lost
// power, may have cut one short after it was made; hashing half a gigabyte to know would be a good part of every up.
const sizesFile = ".sizes"

// sizesOf gives the lengths in bytes of outputs that are files, by name; those that can't be looked at, or are folders, have none.
func sizesOf(dir string, outputs []string) map[string]int64 {
	sizes := map[string]int64{}
	for _, name := range outputs {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			sizes[name] = info.Size()
		}
	}
	return sizes
}

// noteSizes writes down how long the outputs are. Without that they only count as there.
func noteSizes(dir string, outputs []string) {
	if data, err := json.Marshal(sizesOf(dir, outputs)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, sizesFile), data, 0o644)
	}
}

// sizesHold tells whether no output has another length than was written down.
func sizesHold(dir string, outputs []string) bool {
	noted := map[string]int64{}
	data, err := os.ReadFile(filepath.Join(dir, sizesFile))
	if err != nil || json.Unmarshal(data, &noted) != nil {
		return true // It is from before there were such files, or was cut short itself.
	}
	for name, size := range sizesOf(dir, outputs) {
		if want, known := noted[name]; known && size != want {
			return false
		}
	}
	return true
}

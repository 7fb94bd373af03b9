package process

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Running lists the programs below a folder that processes run, whoever started them, by the paths that they were started by. Processes
// that can't be looked at are left out, as are those of other users on a system that hides them.
func Running(folder string) ([]string, error) {
	all, err := pids()
	if err != nil {
		return nil, fmt.Errorf("looking which programs of %s run: %w", folder, err)
	}
	var found []string
	for _, pid := range all {
		s, err := look(pid)
		if err == nil && s != nil && !s.zombie && len(s.argv) > 0 && strings.HasPrefix(s.argv[0], filepath.Clean(folder)+string(filepath.Separator)) {
			found = append(found, s.argv[0])
		}
	}
	return found, nil
}

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// record is what is written down about one process.
type record struct {
	Spec Spec `json:"spec"`
	// PID is 0 from before the start until the process runs.
	PID      int       `json:"pid"`
	Identity identity  `json:"identity,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	// LogStart is where in its log the process began to write, in bytes.
	LogStart int64 `json:"logStart"`
}

const recordSuffix = ".json"

func (t Table) recordPath(name string) string { return filepath.Join(t.Records, name+recordSuffix) }

// load reads a record. There is none, without an error, where the file is missing or is not what save wrote.
func (t Table) load(name string) (*record, error) {
	data, err := os.ReadFile(t.recordPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of %s: %w", name, err)
	}
	var r record
	if json.Unmarshal(data, &r) != nil || r.Spec.Name != name || r.Spec.check() != nil || r.PID < 0 {
		return nil, nil
	}
	return &r, nil
}

// save writes a record in one step: a reader sees the old or the new one, whole.
func (t Table) save(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the record of %s: %w", r.Spec.Name, err)
	}
	path := t.recordPath(r.Spec.Name)
	temporary := path + ".new"
	err = os.WriteFile(temporary, append(data, '\n'), 0o600)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary) // A full disk leaves a part of it; the error that matters is the first.
		return fmt.Errorf("writing the record of %s: %w", r.Spec.Name, err)
	}
	return nil
}

// forget removes a record, if there is one.
func (t Table) forget(name string) error {
	if err := os.Remove(t.recordPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the record of %s: %w", name, err)
	}
	return nil
}

// Names lists the names that have a record, sorted, whether their processes run or not. A record that can't be understood is listed
// too: [Table.Stop] removes it. A folder that does not exist holds none.
func (t Table) Names() ([]string, error) {
	entries, err := os.ReadDir(t.Records)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the records of processes: %w", err)
	}
	var found []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), recordSuffix); ok && checkName(name) == nil {
			found = append(found, name)
		}
	}
	return found, nil
}

package faultcmd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/faults"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// recorded is the list of plans from earlier clean runs of the same operator with the same objects and
// options.
type recorded struct {
	path string
	list recordedList
}

type recordedList struct {
	// Key is a hash of everything that the plans depend on.
	Key    string         `json:"key"`
	Time   time.Time      `json:"time"`
	Report *report.Report `json:"report"`
}

func newRecorded(dir state.Dir, operator process.Spec, o faults.Options) recorded {
	installed, _ := os.ReadFile(dir.ResetPoint()) // An up that changes an object changes it. It may be missing.
	var program []any
	if path, err := os.Executable(); err == nil {
		if info, err := os.Stat(path); err == nil {
			program = []any{info.Size(), info.ModTime()}
		}
	}
	data, _ := json.Marshal([]any{program, operator, installed, o.Samples, o.Update, o.InPlace, o.Webhook, o.Only, o.Full, o.Bound, o.Quiet}) // All have JSON forms.
	key := sha256.Sum256(data)
	return recorded{dir.FaultPlans(), recordedList{Key: hex.EncodeToString(key[:])}}
}

// load returns the recorded list, or nil if there is none for these options.
func (r recorded) load(progress *ui.Progress) *report.Report {
	data, err := input.ReadOwn(r.path)
	var found recordedList
	if err != nil || json.Unmarshal(data, &found) != nil || found.Key != r.list.Key {
		return nil
	}
	progress.Printf("The plans are from the clean runs of %s; the operator, the sample and the options are the same.", found.Time.Format(time.DateTime))
	return found.Report
}

func (r recorded) save(list *report.Report) error {
	r.list.Time, r.list.Report = time.Now(), list
	return state.Remedy(state.Write(r.path, r.list))
}

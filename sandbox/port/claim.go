package port

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gofrs/flock"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// claims are the locks of the numbers that this program claimed. The system releases them when the
// program ends.
var claims struct {
	sync.Mutex
	locks map[int]*flock.Flock
}

// claim reports whether no other program of this user has claimed a number. Between the choice of a
// port and the start of the node that publishes it, the port looks free to other commands. If the
// cache cannot be written, claim returns true.
func claim(number int) bool {
	claims.Lock()
	defer claims.Unlock()
	if claims.locks[number] != nil {
		return true
	}
	folder, err := state.CachePath()
	if err != nil {
		return true
	}
	folder = filepath.Join(folder, cache.Ports)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return true
	}
	lock := flock.New(filepath.Join(folder, strconv.Itoa(number)))
	locked, err := lock.TryLock()
	if err != nil {
		return true
	}
	if !locked {
		return false
	}
	if claims.locks == nil {
		claims.locks = map[int]*flock.Flock{}
	}
	claims.locks[number] = lock
	return true
}

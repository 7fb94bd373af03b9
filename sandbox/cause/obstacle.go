package cause

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/hint"
)

const (
	// repeats is the number of times that an operator reports an error before it is an [Obstacle].
	repeats = 3
	// lasting is the minimal time between the first and the last report. In this time
	// controller-runtime retries a request 13 times.
	lasting = 30 * time.Second
	// lastingObject is lasting for an object that another program may still create.
	lastingObject = time.Minute
	// remembered is the maximum number of errors.
	remembered = 100
)

// Obstacle is an error that an operator reports again and again, and that waiting does not remove.
type Obstacle struct {
	// Name is the name of the operator's log.
	Name string
	// Line is the last line of the log with the error, and Remedy its remedy.
	Line, Remedy string

	times   int
	first   time.Time
	mayPass bool
}

// Error returns the line and the remedy.
func (o *Obstacle) Error() string {
	return fmt.Sprintf("the operator repeats an error: %s; %s; see %s", o.Line, o.Remedy, hint.Run("logs", o.Name))
}

// Obstacles finds the obstacle of an operator in its log and in the status of its objects. It is a
// writer for lines, one for each call of Write. It is safe for concurrent use.
type Obstacles struct {
	// Name is the name of the log.
	Name string
	// Simulated is true if nothing listens on the addresses of Pods and Services.
	Simulated bool
	// Now returns the time; nil means time.Now.
	Now func() time.Time

	mu    sync.Mutex
	seen  map[string]*Obstacle // by remedy
	found *Obstacle
	last  string
}

// unreachable matches the errors of a connection to a Pod or a Service of an embedded cluster, and of a
// command in a Pod.
var unreachable = regexp.MustCompile(`error dialing backend|dial (?:tcp|udp) 10\.(?:244|96)\.\d+\.\d+:|lookup [\w.-]+\.svc(?:\.cluster\.local)?\b`)

// simulatedRemedy is the remedy for these errors.
const simulatedRemedy = "the Pods and Services of an embedded cluster are simulated, so the operator cannot connect to them: use --cluster=kind"

// calm matches lines below the level error of the usual loggers.
var calm = regexp.MustCompile(`"level":"(?i:debug|info|warn|warning)"|\t(?:DEBUG|INFO|WARN)\t|\blevel=(?i:debug|info|warn|warning)\b|^[IW]\d{4} `)

// Write reads a line. It returns no error.
func (o *Obstacles) Write(line []byte) (int, error) {
	text := string(line)
	if calm.MatchString(text) {
		return len(line), nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if failure := failureIn(text); failure != "" {
		o.last = failure
	}
	remedy, mayPass := needOf(text)
	if remedy == "" && o.Simulated && unreachable.MatchString(text) {
		remedy = simulatedRemedy
	}
	if remedy == "" {
		return len(line), nil
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	if o.seen == nil {
		o.seen = map[string]*Obstacle{}
	}
	if o.seen[remedy] == nil && len(o.seen) < remembered {
		o.seen[remedy] = &Obstacle{Name: o.Name, Remedy: remedy, first: now(), mayPass: mayPass}
	}
	if s := o.seen[remedy]; s != nil {
		s.Line = shorten(strings.TrimSuffix(strings.TrimSpace(text), "; "+remedy)) // A status can have the remedy.
		s.times++
		limit := lasting
		if s.mayPass {
			limit = lastingObject
		}
		if s.times >= repeats && now().Sub(s.first) >= limit {
			o.found = s
		}
	}
	return len(line), nil
}

// Found returns the obstacle that the operator reported last, or nil.
func (o *Obstacles) Found() *Obstacle {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.found == nil {
		return nil
	}
	found := *o.found
	return &found
}

// Last returns the last line with an error; empty if there was none.
func (o *Obstacles) Last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

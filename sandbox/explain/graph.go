package explain

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Attributes of docs/spans.md and of package observe.
const (
	attributeUID          = "operator.object.uid"
	attributeVersion      = "operator.write.resource_version"
	attributeCauseUID     = "operator.reconcile.cause.uid"
	attributeCauseVersion = "operator.reconcile.cause.resource_version"
	attributeCauseSpan    = "operator.reconcile.cause.span_id"
	attributeCauseTrace   = "operator.reconcile.cause.trace_id"
	attributeTrigger      = "operator.reconcile.trigger"
	attributeDelay        = "operator.reconcile.delay"
	attributeQueueWait    = "operator.reconcile.queue_wait"
	attributeRequeue      = "operator.reconcile.requeue_reason"
	attributeResult       = "operator.reconcile.result"
	attributeCertainty    = "operator.cause.certainty"
	attributeReadWait     = "operator.reconcile.read_wait"
	attributeLimiter      = "operator.reconcile.rate_limiter_wait"
	attributeWriteLimiter = "operator.write.rate_limiter_wait"
	attributeLost         = "operator.observer.lost"
	attributeResolution   = "operator.observer.resolution"
)

// role is what a span means for the path.
type role int

const (
	roleOther     role = iota // a span of other instrumentation
	roleReconcile             // a reconcile of the library
	roleWrite                 // a write of the library or of the sandbox
	roleRead                  // a read of the library
	roleAdmit                 // an admission webhook
	roleConverge              // the whole change; never on the path
	roleReaction              // a write of an observed controller
	rolePhase                 // a phase of an observed container
)

// node is a span with its place in the tree.
type node struct {
	span     *spantree.Span
	parent   *node
	children []*node // by start
	role     role
	object   Object
}

type spanID struct{ trace, span string }

type version struct{ uid, number string }

// loop is a controller and the object that it reconciles.
type loop struct {
	service string
	object  Object
}

// graph has the spans of a forest and their indexes.
type graph struct {
	nodes      []*node // parents first
	roots      []*node
	spans      map[spanID]*node
	versions   map[version]*node
	writes     map[string][]*node         // by UID, in the order of resourceVersions; unknown ones first
	deletes    map[string]*node           // the last delete by UID
	reconciles map[loop][]*node           // by start
	converged  map[Object]time.Time       // the first end of a converge span
	related    map[Object]map[string]bool // the UIDs of the objects that a loop writes and reacts to
	readiness  map[Object][]*node         // see readyOf
	observed   bool
	missing    int
	backwards  int
	cycles     int
	resolution string
}

func newGraph(forest *spantree.Forest) *graph {
	g := &graph{
		spans: map[spanID]*node{}, versions: map[version]*node{}, writes: map[string][]*node{}, deletes: map[string]*node{}, reconciles: map[loop][]*node{},
		converged: map[Object]time.Time{}, related: map[Object]map[string]bool{}, readiness: map[Object][]*node{},
	}
	var path []*node
	forest.Walk(func(n *spantree.Node, depth int) bool {
		added := &node{span: &n.Span}
		added.role, added.object = roleOf(added), objectOf(added)
		if depth > 0 {
			added.parent = path[depth-1]
			added.parent.children = append(added.parent.children, added)
		} else {
			g.roots = append(g.roots, added)
		}
		path = append(path[:depth], added)
		switch n.Defect {
		case spantree.DefectOrphan:
			g.missing++
		case spantree.DefectCycle:
			g.cycles++
		}
		if n.Span.End.Before(n.Span.Start) {
			g.backwards++
		}
		g.add(added, n.Defect == spantree.DefectDuplicate)
		return true
	})
	for _, list := range g.writes {
		slices.SortStableFunc(list, func(a, b *node) int { return cmp.Compare(a.version(), b.version()) })
	}
	for _, list := range g.reconciles {
		slices.SortStableFunc(list, byStart)
	}
	return g
}

func (g *graph) add(n *node, duplicate bool) {
	g.nodes = append(g.nodes, n)
	if key := (spanID{n.span.TraceID, n.span.SpanID}); !duplicate {
		g.spans[key] = n
	}
	if n.role == roleReaction || n.role == rolePhase {
		g.observed = true
	}
	if g.resolution == "" {
		g.resolution = n.text(attributeResolution)
	}
	switch n.role {
	case roleReconcile:
		g.reconciles[n.loop()] = append(g.reconciles[n.loop()], n)
		g.relate(n.object, n.text(attributeCauseUID))
	case roleConverge:
		if end, known := g.converged[n.object]; !known || n.span.End.Before(end) {
			g.converged[n.object] = n.span.End
		}
	case roleReaction:
		g.relate(n.object, n.text(attributeCauseUID))
		g.relate(n.causeObject(), n.text(attributeUID))
	case roleWrite:
		if n.parent != nil && n.parent.role == roleReconcile {
			g.relate(n.parent.object, n.text(attributeUID))
		}
	}
	uid, number := n.text(attributeUID), n.text(attributeVersion)
	if uid == "" || n.role != roleWrite && n.role != roleReaction {
		return
	}
	g.writes[uid] = append(g.writes[uid], n)
	if strings.HasPrefix(n.span.Name, "delete ") {
		g.deletes[uid] = n
	}
	key := version{uid, number}
	// The writer's own span says more than the observer's.
	if known := g.versions[key]; number != "" && (known == nil || known.role == roleReaction && n.role == roleWrite) {
		g.versions[key] = n
	}
}

// relate records that the loop of an object writes another object, or reacts to it.
func (g *graph) relate(o Object, uid string) {
	if uid == "" {
		return
	}
	if g.related[o] == nil {
		g.related[o] = map[string]bool{}
	}
	g.related[o][uid] = true
}

func byStart(a, b *node) int {
	return cmp.Or(a.span.Start.Compare(b.span.Start), a.span.End.Compare(b.span.End), cmp.Compare(a.span.SpanID, b.span.SpanID))
}

func byEnd(a, b *node) int {
	return cmp.Or(a.span.End.Compare(b.span.End), a.span.Start.Compare(b.span.Start), cmp.Compare(a.span.SpanID, b.span.SpanID))
}

func roleOf(n *node) role {
	switch n.span.Role() {
	case spantree.RoleObserved:
		if n.text("k8s.container.name") != "" {
			return rolePhase
		}
		return roleReaction
	case spantree.RoleReconcile:
		return roleReconcile
	case spantree.RoleWrite:
		return roleWrite
	case spantree.RoleRead:
		return roleRead
	case spantree.RoleWebhook:
		return roleAdmit
	}
	if n.span.Kind == spantree.KindInternal && strings.HasPrefix(n.span.Name, "converge ") && n.text("operator.object.kind") != "" {
		return roleConverge
	}
	return roleOther
}

func objectOf(n *node) Object {
	return Object{n.text("operator.object.kind"), n.text("k8s.namespace.name"), n.text("operator.object.name")}
}

// causeObject returns the object whose change caused a span, or only its kind if more is not
// recorded.
func (n *node) causeObject() Object {
	o := Object{n.text("operator.reconcile.cause.kind"), n.text("operator.reconcile.cause.namespace"), n.text("operator.reconcile.cause.name")}
	if o.Kind == "" {
		_, o.Kind, _ = strings.Cut(n.text(attributeTrigger), " ")
	}
	return o
}

func (n *node) loop() loop { return loop{n.span.Service, n.object} }

// text returns an attribute; empty if it is absent or has another type.
func (n *node) text(key string) string {
	value, _ := n.span.Attributes[key].(string)
	return value
}

// version returns the resourceVersion after a write; 0 if it is unknown.
func (n *node) version() uint64 { return parseVersion(n.text(attributeVersion)) }

func parseVersion(text string) uint64 {
	number, _ := strconv.ParseUint(text, 10, 64) // 0 for other texts.
	return number
}

// wait returns an attribute in seconds. Values that no wait can have are 0.
func (n *node) wait(key string) time.Duration {
	seconds := 0.0
	switch value := n.span.Attributes[key].(type) {
	case float64:
		seconds = value
	case int64:
		seconds = float64(value)
	}
	if !(seconds > 0) { // NaN, too.
		return 0
	}
	return time.Duration(math.Min(seconds, maxTotal.Seconds()) * float64(time.Second))
}

// transition returns the event of a condition that became a status, or nil.
func (n *node) transition(condition, status string) *spantree.Event {
	for i, e := range n.span.Events {
		kind, change, found := strings.Cut(e.Name, ": ")
		if found && (condition == "" || kind == condition) && strings.HasSuffix(change, "→"+status) {
			return &n.span.Events[i]
		}
	}
	return nil
}

func (n *node) failed() bool { return n.span.Code() == spantree.StatusError }

// failure describes the error of a span.
func (n *node) failure() string { return cmp.Or(n.span.Status.Message, n.text("error.type")) }

func (n *node) ref() Span {
	return Span{TraceID: n.span.TraceID, SpanID: n.span.SpanID, Name: n.span.Name, Actor: n.span.Service, Object: n.object}
}

// requeues counts the reconciles that an earlier one asked for.
func (g *graph) requeues() map[string]int {
	requeues := map[string]int{}
	for _, list := range g.reconciles {
		for _, n := range list {
			if reason := n.text(attributeRequeue); reason != "" {
				requeues[reason]++
			}
		}
	}
	return requeues
}

// previous returns the reconcile of the same object before one, or nil.
func (g *graph) previous(n *node) *node {
	list := g.reconciles[n.loop()]
	at, _ := slices.BinarySearchFunc(list, n, byStart)
	if at == 0 || at > len(list) {
		return nil
	}
	return list[at-1]
}

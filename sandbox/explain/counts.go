package explain

// Counts counts the spans of a trace by their effect. Reconciles that do nothing have no span.
type Counts struct {
	Spans      int        `json:"spans"`
	Reconciles Reconciles `json:"reconciles"`
	Writes     Writes     `json:"writes"`
	// Reads is the number of reads with a span.
	Reads int `json:"reads"`
	// Observed is the number of writes that an observer saw.
	Observed int `json:"observed"`
	// Requeues has the number of reconciles that an earlier one asked for, by reason: error,
	// conflict, requeue or requeue_after.
	Requeues map[string]int `json:"requeues,omitempty"`
}

// Reconciles counts reconciles with a span.
type Reconciles struct {
	// Useful reconciles wrote something, NoOp ones nothing, and Failed ones returned an error.
	Useful int `json:"useful"`
	NoOp   int `json:"noOp"`
	Failed int `json:"failed"`
}

// Total is the number of reconciles.
func (r Reconciles) Total() int { return r.Useful + r.NoOp + r.Failed }

// Writes counts writes of operators with the library, and of the sandbox.
type Writes struct {
	// Useful writes changed an object, Unchanged ones did not, Conflicts failed with a conflict, and
	// Failed ones with another error, or because the object existed or was gone already.
	Useful    int `json:"useful"`
	Unchanged int `json:"unchanged"`
	Conflicts int `json:"conflicts"`
	Failed    int `json:"failed"`
}

// Total is the number of writes.
func (w Writes) Total() int { return w.Useful + w.Unchanged + w.Conflicts + w.Failed }

func (g *graph) counts() Counts {
	c := Counts{Spans: len(g.nodes)}
	for _, n := range g.nodes {
		switch n.role {
		case roleReconcile:
			c.Reconciles.add(n)
			if reason := n.text(attributeRequeue); reason != "" {
				if c.Requeues == nil {
					c.Requeues = map[string]int{}
				}
				c.Requeues[reason]++
			}
		case roleWrite:
			c.Writes.add(n)
		case roleRead:
			c.Reads++
		case roleReaction:
			c.Observed++
		}
	}
	return c
}

func (r *Reconciles) add(n *node) {
	switch intent, result := n.text(attributeIntent), n.text(attributeResult); {
	case n.failed() || result == "error" || result == "terminal_error" || result == "panic": // A span with a conflict has no error.
		r.Failed++
	case intent == "none" || intent == "" && len(n.children) == 0:
		r.NoOp++
	default:
		r.Useful++
	}
}

func (w *Writes) add(n *node) {
	switch {
	case n.hasEvent("conflict"):
		w.Conflicts++
	case n.failed() || n.hasEvent("already_exists") || n.hasEvent("not_found"):
		w.Failed++
	case n.span.Attributes[attributeUnchanged] == true:
		w.Unchanged++
	default:
		w.Useful++
	}
}

package source

import (
	"cmp"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// reached are the usual types of conditions, and values of phases, of an object whose work is done,
// the most usual ones first.
var reached = []string{
	"Ready", "Available", "Healthy", "Running", "Active", "Synced", "Reconciled", "Succeeded", "Success", "Successful", "Established",
	"Accepted", "Programmed", "Configured", "Completed", "Complete", "Finished", "Deployed", "Bound", "Valid", "Created", "Enabled",
}

// unreached are parts of types and values of an object whose work is not done, or has failed.
var unreached = regexp.MustCompile(`(?i)not|un(available|healthy|known|ready)|degrad|progress|reconciling|stalled|fail|err|suspend|paus|delet|terminat|invalid|warn|pending|creating|updating|upgrad|scal|disrupt|init`)

// State is a condition's type, or a value of a status field, that a controller writes.
type State struct {
	// Value is the type or value.
	Value string
	// File is the path of a file that writes it.
	File string
}

// best returns the state that most likely means that the work on an object is done.
func best(states []State) (State, bool) {
	rank := func(s State) int {
		for i, word := range reached {
			if strings.EqualFold(s.Value, word) {
				return i
			}
		}
		for i, word := range reached {
			if strings.Contains(s.Value, word) {
				return len(reached) + i
			}
		}
		return 2 * len(reached)
	}
	states = slices.DeleteFunc(slices.Clone(states), func(s State) bool { return unreached.MatchString(s.Value) })
	if len(states) == 0 {
		return State{}, false
	}
	return slices.MinFunc(states, func(a, b State) int { return cmp.Compare(rank(a), rank(b)) }), true
}

// Condition returns the type of the condition that the controller sets when its work is done. ok is
// false if it sets no such condition.
func (c *Controller) Condition() (s State, ok bool) {
	var all []State
	for _, f := range c.functions {
		for _, condition := range c.module.conditions(f) {
			all = append(all, State{condition, f.file.path})
		}
	}
	return best(all)
}

// Field returns the value of a field of the status when the work is done, for example of phase. The
// name is the name in JSON. Its values can be limited to some allowed ones. ok is false if the
// controller mentions no such value.
func (c *Controller) Field(name string, allowed []string) (s State, ok bool) {
	var all []State
	for _, f := range c.functions {
		for _, v := range c.module.fieldValues(f, name) {
			if len(allowed) == 0 || slices.Contains(allowed, v) {
				all = append(all, State{v, f.file.path})
			}
		}
	}
	return best(all)
}

// conditions returns the types of conditions that a function creates or passes to a function that
// sets conditions.
func (m *Module) conditions(f *function) (all []string) {
	add := func(expression ast.Expr) bool {
		text := m.text(f.file, expression)
		if text == "" || strings.ContainsAny(text, " %:=\n") {
			return false
		}
		all = append(all, text)
		return true
	}
	ast.Inspect(f.body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CompositeLit:
			fields := keyed(n)
			qualified, _ := typeName(n.Type)
			if fields["Type"] != nil && (fields["Status"] != nil || fields["Reason"] != nil) && !strings.HasPrefix(f.file.imports[qualified], "k8s.io/api/") {
				add(fields["Type"])
			}
		case *ast.CallExpr:
			if _, name := typeName(n.Fun); sets(name) {
				_ = slices.ContainsFunc(n.Args, add) // The first one. Others can be reasons.
			}
		}
		return true
	})
	return all
}

// setters matches names of functions that set a condition, and getters names of functions that do
// not.
var (
	setters = regexp.MustCompile(`[cC]ondition|^Mark(True|False|Unknown)$`)
	getters = regexp.MustCompile(`^([iI]s|[gG]et|[fF]ind|[hH]as|[rR]emove|[dD]elete|[wW]ait|[cC]heck)`)
)

func sets(name string) bool { return setters.MatchString(name) && !getters.MatchString(name) }

func keyed(literal *ast.CompositeLit) map[string]ast.Expr {
	fields := map[string]ast.Expr{}
	for _, e := range literal.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok {
				fields[key.Name] = pair.Value
			}
		}
	}
	return fields
}

// fieldValues returns the values that a function assigns to a field, the usual values that it passes
// to a function with the field's name in its own, and the constants that it mentions and that have
// the field's name in theirs, for example PhaseRunning.
func (m *Module) fieldValues(f *function, field string) (all []string) {
	ast.Inspect(f.body, func(node ast.Node) bool {
		for _, expression := range fieldExpressions(node, field) {
			if text := m.text(f.file, expression); text != "" {
				all = append(all, text)
			}
		}
		if call, ok := node.(*ast.CallExpr); ok {
			all = append(all, m.setterValues(f, call, field)...)
		}
		return true
	})
	return all
}

// fieldExpressions returns the expressions in a node that can be values of a field.
func fieldExpressions(node ast.Node, field string) (all []ast.Expr) {
	switch n := node.(type) {
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if _, name := typeName(left); strings.EqualFold(name, field) && len(n.Lhs) == len(n.Rhs) {
				all = append(all, n.Rhs[i])
			}
		}
	case *ast.CompositeLit:
		for name, value := range keyed(n) {
			if strings.EqualFold(name, field) {
				all = append(all, value)
			}
		}
	case *ast.Ident:
		if containsFold(n.Name, field) {
			all = append(all, n)
		}
	case *ast.SelectorExpr:
		if containsFold(n.Sel.Name, field) {
			all = append(all, n)
		}
	}
	return all
}

// setterValues returns the usual values that a call passes to a function with the field's name in its
// own: withPhase(v1.Running). Other arguments can be any text.
func (m *Module) setterValues(f *function, call *ast.CallExpr, field string) (all []string) {
	if _, name := typeName(call.Fun); !containsFold(name, field) {
		return nil
	}
	for _, argument := range call.Args {
		if text := m.text(f.file, argument); slices.Contains(reached, text) {
			all = append(all, text)
		}
	}
	return all
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

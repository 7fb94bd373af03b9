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
	add := func(expression ast.Expr) {
		if text := m.text(f.file, expression); text != "" {
			all = append(all, text)
		}
	}
	ast.Inspect(f.body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if _, name := typeName(left); strings.EqualFold(name, field) && len(n.Lhs) == len(n.Rhs) {
					add(n.Rhs[i])
				}
			}
		case *ast.CompositeLit:
			for name, value := range keyed(n) {
				if strings.EqualFold(name, field) {
					add(value)
				}
			}
		case *ast.CallExpr: // withPhase(v1.Running); another argument can be any text.
			if _, name := typeName(n.Fun); strings.Contains(strings.ToLower(name), strings.ToLower(field)) {
				for _, argument := range n.Args {
					if slices.Contains(reached, m.text(f.file, argument)) {
						add(argument)
					}
				}
			}
		case *ast.Ident:
			if strings.Contains(strings.ToLower(n.Name), strings.ToLower(field)) {
				add(n)
			}
		case *ast.SelectorExpr:
			if strings.Contains(strings.ToLower(n.Sel.Name), strings.ToLower(field)) {
				add(n)
			}
		}
		return true
	})
	return all
}

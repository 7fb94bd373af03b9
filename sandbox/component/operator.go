package component

// Operator is the operator of the user. It is also the name of its program.
const Operator = "operator"

var operator = Component{Name: Operator, Programs: []Program{{Name: Operator}}}

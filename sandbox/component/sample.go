package component

// Sample is the object that the sandbox applies to see its trace, with the objects that it needs.
const Sample = "sample"

var sample = Component{Name: Sample, Optional: true, Needs: []string{Operator, Node}}

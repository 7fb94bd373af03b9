package component

// Node is the node of an embedded cluster, which kwok simulates. It is not the name of the Node
// object.
const Node = "node"

// Kwok is the program that simulates the node.
const Kwok = "kwok"

var node = Component{
	Name: Node, Clusters: []string{Embedded}, Programs: []Program{{Name: Kwok}},
	Source: Source{Module: "sandbox/source/kwok", Package: ".", Output: Kwok},
}

package image

// reference is the reference operator, as config/sandbox.yaml has it built, which a test of package project holds.
var reference = Program{Module: ".", Main: "./operator", Sources: []string{"operator"}}

var operator = reference.component()

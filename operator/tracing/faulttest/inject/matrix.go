package inject

// Pruned is a plan that a matrix leaves out.
type Pruned struct {
	Plan   Plan
	Reason string
}

// Matrix is the list of plans for a recording.
type Matrix struct {
	// Plans are in the order of Faults, and then in the order of the recording.
	Plans  []Plan
	Pruned []Pruned
}

// MatrixOptions select plans.
type MatrixOptions struct {
	// Full keeps the plans that are possible but unlikely to find more than another plan.
	Full bool
	// LeaderChange and WebhookDown add plans for these faults.
	LeaderChange, WebhookDown bool
}

// NewMatrix returns the plans for a recording. The same recording has the same plans.
func NewMatrix(r *Recording, o MatrixOptions) Matrix { panic("TODO") }

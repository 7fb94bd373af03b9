package v1alpha1

// ConditionReady is the one condition of Head and ChildA. Its polarity is
// positive: True is good. It is True when everything that the spec of the
// condition's observedGeneration asks for is in place and available, False when
// something is missing, and absent until the controller saw the object once.
const ConditionReady = "Ready"

// Reasons of the Ready condition. Each belongs to one status of it.
const (
	// ReasonChildReady (True, Head): the ChildA carries the Head's image and is
	// Ready at its latest generation.
	ReasonChildReady = "ChildReady"

	// ReasonChildNotReady (False, Head): the ChildA exists with the right image
	// and is on its way; the message repeats what it says.
	ReasonChildNotReady = "ChildNotReady"

	// ReasonDeploymentAvailable (True, ChildA): the Deployment runs the image at
	// its latest generation, and no pod of an older one is left.
	ReasonDeploymentAvailable = "DeploymentAvailable"

	// ReasonDeploymentProgressing (False, ChildA): the Deployment is rolling out.
	ReasonDeploymentProgressing = "DeploymentProgressing"

	// ReasonDeploymentFailed (False, ChildA): the Deployment reports that it
	// can't make progress (no pods allowed, or its deadline has passed); the
	// message repeats why. It heals by itself when the cause goes away.
	ReasonDeploymentFailed = "DeploymentFailed"

	// ReasonTerminating (False, both): the owned object is being deleted; a new
	// one follows when it is gone.
	ReasonTerminating = "Terminating"

	// ReasonNameConflict (False, both): an object with the name that the owned
	// one must have exists and belongs to somebody else. It is left alone; a
	// person must delete or rename one of the two.
	ReasonNameConflict = "NameConflict"

	// ReasonWriteFailed (False, both): the API server refused to create or update
	// the owned object; the message repeats its words. The operator tries again.
	ReasonWriteFailed = "WriteFailed"
)

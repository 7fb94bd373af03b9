package v1alpha1

// ConditionReady is the only condition of Head and ChildA. It is True if everything that the spec
// of the condition's observedGeneration requests exists and is available, and False otherwise. It
// is absent until the first reconcile of the object.
const ConditionReady = "Ready"

// Reasons of the Ready condition. Each belongs to one status of it.
const (
	// ReasonChildReady (True, Head): the ChildA has the Head's image and is Ready at its latest
	// generation.
	ReasonChildReady = "ChildReady"

	// ReasonChildNotReady (False, Head): the ChildA exists with the correct image and is
	// progressing. The message repeats its message.
	ReasonChildNotReady = "ChildNotReady"

	// ReasonDeploymentAvailable (True, ChildA): the Deployment runs the image at its latest
	// generation, and no pod of an older generation exists.
	ReasonDeploymentAvailable = "DeploymentAvailable"

	// ReasonDeploymentProgressing (False, ChildA): the Deployment is rolling out.
	ReasonDeploymentProgressing = "DeploymentProgressing"

	// ReasonDeploymentFailed (False, ChildA): the Deployment reports that it cannot make progress,
	// for example because of a quota or its deadline. The message repeats the reason. The condition
	// changes when the cause is removed.
	ReasonDeploymentFailed = "DeploymentFailed"

	// ReasonTerminating (False, both): the owned object is being deleted. The operator creates a
	// new one afterwards.
	ReasonTerminating = "Terminating"

	// ReasonNameConflict (False, both): an object with the name of the owned object exists and has
	// another owner. The operator does not change it. A user must delete or rename one of the two.
	ReasonNameConflict = "NameConflict"

	// ReasonWriteFailed (False, both): the API server refused to create or update the owned object.
	// The message repeats its error. The operator retries.
	ReasonWriteFailed = "WriteFailed"
)

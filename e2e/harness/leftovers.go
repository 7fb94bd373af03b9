package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fixtureLabel is the label of the namespaces of fixtures. It identifies the namespaces of killed
// tests.
const fixtureLabel = "e2e.example.com/fixture"

// deleteFixtures deletes the namespaces of all fixtures, and returns how many still exist. The deletion
// of a namespace takes some time.
func (c *Cluster) deleteFixtures(ctx context.Context) (left int, err error) {
	namespaces := &corev1.NamespaceList{}
	if err := c.Client.List(ctx, namespaces, client.HasLabels{fixtureLabel}); err != nil {
		return 0, fmt.Errorf("listing the namespaces of tests: %w", err)
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		if namespace.DeletionTimestamp != nil {
			continue
		}
		if err := client.IgnoreNotFound(c.Client.Delete(ctx, namespace)); err != nil {
			return 0, fmt.Errorf("deleting namespace %s: %w", namespace.Name, err)
		}
	}
	return len(namespaces.Items), nil
}

// splitEnvironment splits the variables that the sandbox's user set for the operator: variables
// that tests do not change, and the ones of operatorVariables.
func splitEnvironment(all []string) (given, own map[string]string) {
	given, own = map[string]string{}, map[string]string{}
	for _, variable := range all {
		name, value, _ := strings.Cut(variable, "=")
		if slices.Contains(operatorVariables, name) {
			own[name] = value
		} else {
			given[name] = value
		}
	}
	return given, own
}

// environment returns NAME=VALUE of each variable, sorted.
func environment(variables map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, name+"="+variables[name])
	}
	return all
}

// operatorEnvArgs returns the arguments of up that set the operator's variables.
func operatorEnvArgs(variables []string) []string {
	var args []string
	for _, variable := range variables {
		args = append(args, "--operator-env="+variable)
	}
	return args
}

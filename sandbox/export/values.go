package export

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// carriers are the kinds whose settings can be secret, besides Secrets.
var carriers = []schema.GroupVersionResource{
	corev1.SchemeGroupVersion.WithResource("configmaps"), corev1.SchemeGroupVersion.WithResource("pods"),
	{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"}, {Group: "batch", Version: "v1", Resource: "jobs"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
}

// KnownValues returns the values of all Secrets in the given namespaces for [NewRedactor], and the
// secret settings of ConfigMaps and workloads; without namespaces, of the whole cluster. It omits
// certificates, which are public. It returns an error if it cannot read the Secrets.
func KnownValues(ctx context.Context, config *rest.Config, namespaces ...string) ([]Known, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reading Secrets: %w", err)
	}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var known []Known
	for _, namespace := range namespaces {
		err := each(ctx, client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace), func(secret *unstructured.Unstructured) error {
			more, err := ofSecret(secret)
			known = append(known, more...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading Secrets: %w", err)
		}
		for _, resource := range carriers {
			err := each(ctx, client.Resource(resource).Namespace(namespace), func(object *unstructured.Unstructured) error {
				known = append(known, clean(object)...)
				return nil
			})
			if err != nil && ctx.Err() != nil { // Other errors are in the part of this kind.
				return nil, fmt.Errorf("reading %s: %w", resource.Resource, err)
			}
		}
	}
	return known, nil
}

// each calls visit with all objects, a page at a time.
func each(ctx context.Context, client dynamic.ResourceInterface, visit func(*unstructured.Unstructured) error) error {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := client.List(ctx, options)
		if err != nil {
			return err
		}
		for i := range list.Items {
			if err := visit(&list.Items[i]); err != nil {
				return err
			}
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

func ofSecret(secret *unstructured.Unstructured) ([]Known, error) {
	data, _, err := unstructured.NestedStringMap(secret.Object, "data")
	errs := []error{err}
	var known []Known
	for key, encoded := range data {
		value, err := base64.StdEncoding.DecodeString(encoded)
		errs = append(errs, err)
		if key != "ca.crt" && key != "tls.crt" && key != "namespace" && !strings.HasPrefix(string(value), "-----BEGIN CERTIFICATE-----") {
			known = append(known, Known{Name: key, Value: string(value), Sure: true})
		}
	}
	return known, errors.Join(errs...)
}

var (
	assignment = regexp.MustCompile(`^\s*(?:-\s+|export\s+)?["']?([\w.-]+)["']?\s*[:=]\s*(.+?)\s*,?$`)
	inAddress  = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://([^\s/@]*)@`)
	nameAndKey = regexp.MustCompile(`^[\w.@-]+:(\S{4,})$`)
)

// derived returns the secrets in a secret value: in JSON, for example a dockerconfigjson, in lines
// like NAME=VALUE, in an address with a password, in base64, and the lines of a key.
func derived(k Known, depth int) []Known {
	const most = 1 << 20 // Longer values are only known as a whole.
	if depth == 0 || len(k.Value) > most {
		return nil
	}
	var parts []Known
	value := strings.TrimSpace(k.Value)
	var tree any
	if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
		if json.Unmarshal([]byte(value), &tree) == nil {
			parts = append(parts, leaves("", tree)...)
		}
	} else if lines := strings.Split(value, "\n"); len(lines) > 1 {
		parts = append(parts, ofLines(lines)...)
	} else if match := nameAndKey.FindStringSubmatch(value); match != nil && !strings.Contains(value, "://") {
		parts = append(parts, Known{Name: k.Name, Value: match[1], Sure: true})
	}
	for _, match := range inAddress.FindAllStringSubmatch(value, -1) {
		_, password, found := strings.Cut(match[1], ":")
		if !found {
			password = match[1]
		}
		parts = append(parts, Known{Value: password, Sure: true})
		if plainText, err := url.PathUnescape(password); err == nil {
			parts = append(parts, Known{Value: plainText, Sure: true})
		}
	}
	if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && len(decoded) >= short && utf8.Valid(decoded) {
		parts = append(parts, Known{Name: k.Name, Value: string(decoded), Sure: true})
	}
	all := parts
	for _, part := range parts {
		all = append(all, derived(part, depth-1)...)
	}
	return all
}

func ofLines(lines []string) (parts []Known) {
	const fewest = 16
	for _, line := range lines {
		line = strings.TrimSpace(line)
		switch match := assignment.FindStringSubmatch(line); {
		case match != nil && Telling(match[1]):
			parts = append(parts, Known{Name: match[1], Value: strings.Trim(match[2], `"'`), Sure: true})
		case match == nil && len(line) >= fewest && !strings.ContainsAny(line, " \t:"):
			parts = append(parts, Known{Value: line})
		}
	}
	return parts
}

// leaves returns the strings of a JSON document with a telling name.
func leaves(name string, node any) (found []Known) {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			found = append(found, leaves(key, child)...)
		}
	case []any:
		for _, child := range n {
			found = append(found, leaves(name, child)...)
		}
	case string:
		if Telling(name) {
			found = append(found, Known{Name: name, Value: n, Sure: true})
		}
	}
	return found
}

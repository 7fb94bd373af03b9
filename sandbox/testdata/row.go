// Package component has one more row if this file is compiled into it; see TestOneRowAddsAComponent.
package component

import (
	"context"
	"errors"
	"os"
	"slices"
)

func init() {
	table = slices.Insert(table, len(table)-1, Component{
		Name: "prometheus", Version: "v3.7.3",
		Images:   []string{"quay.io/prometheus/prometheus:v3.7.3"},
		Programs: []Program{{Name: "prometheus"}},
		Ports:    []Port{{Name: "metrics", Number: 9090, Flag: "prometheus-port", Use: "Prometheus", Scheme: "http"}},
		Clusters: []string{Kind, Existing},
		Check: func(context.Context, map[string]string) error {
			if os.Getenv("BROKEN_METRICS") != "" {
				return errors.New("no metrics")
			}
			return nil
		},
	})
}

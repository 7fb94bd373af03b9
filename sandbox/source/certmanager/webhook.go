package main

import (
	"context"
	"fmt"

	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/validation"
	"github.com/cert-manager/cert-manager/internal/webhook"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util/configfile"
	webhookfile "github.com/cert-manager/cert-manager/pkg/webhook/configfile"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
	"github.com/cert-manager/cert-manager/pkg/webhook/server"
)

var webhookProgram = program[config.WebhookConfiguration]{
	name:     "webhook",
	defaults: options.NewWebhookConfiguration,
	bind:     options.AddConfigFlags,
	validate: validation.ValidateWebhookConfiguration,
	file: func() (configfile.ConfigFile, func() *config.WebhookConfiguration) {
		f := webhookfile.New()
		return f, func() *config.WebhookConfiguration { return f.Config }
	},
}

// runWebhook serves the admission webhooks of cert-manager's kinds until ctx is cancelled.
func runWebhook(ctx context.Context, args []string) error {
	cfg, err := webhookProgram.configure(args)
	if err != nil {
		return err
	}
	ctx, err = start(ctx, "webhook", &cfg.Logging, cfg.FeatureGates)
	if err != nil {
		return err
	}
	defer logf.FlushLogs()

	webhookServer, err := webhook.NewCertManagerWebhookServer(logf.FromContext(ctx), *cfg, withoutHealth(cfg.HealthzPort))
	if err != nil {
		return fmt.Errorf("creating the webhook server: %w", err)
	}
	if err := webhookServer.Run(ctx); err != nil {
		return fmt.Errorf("serving webhooks: %w", err)
	}
	return nil
}

// withoutHealth disables health checks if port is 0, as 0 disables metrics. Upstream would listen
// on a random port of every address, without authentication. A process outside a Pod does not need
// health checks, because no kubelet probes it.
func withoutHealth(port int32) func(*server.Server) {
	return func(s *server.Server) {
		if port == 0 {
			s.HealthzAddr = nil
		}
	}
}

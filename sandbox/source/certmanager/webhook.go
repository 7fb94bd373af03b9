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

// runWebhook serves admission of cert-manager's kinds until ctx ends.
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

	server, err := webhook.NewCertManagerWebhookServer(logf.FromContext(ctx), *cfg)
	if err != nil {
		return fmt.Errorf("building the webhook server: %w", err)
	}
	if err := server.Run(ctx); err != nil {
		return fmt.Errorf("serving webhooks: %w", err)
	}
	return nil
}

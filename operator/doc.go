// Command operator is the reference operator: the webhook and the controllers of
// Head and ChildA, traced by operator/tracing.
//
// main.go starts and ends the process, options.go reads flags, environment and
// file, manager.go puts the parts together. It is run by the Deployment in
// config/manager, or on a developer's machine with --enable-webhooks=false.
//
// Nothing imports it. It holds no reconcile logic (package controller) and no
// tracing logic (package tracing); it only joins the two.
package main

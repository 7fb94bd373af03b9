// Command operator is the reference operator: the webhook and the controllers of Head and ChildA, traced by
// operator/tracing.
//
// main.go starts and stops the process. options.go reads flags, environment variables and the file. manager.go
// creates the manager, and contains the only tracing code: provider.New, tracing.WrapTransport and
// tracing.WrapManager. The Deployment in config/manager runs the operator. A developer can run it with
// --enable-webhooks=false.
//
// No package imports this one. The reconcilers are in package controller.
package main

module github.com/operator-tracing/sandbox/operator/tracing/spantree

go 1.26.0

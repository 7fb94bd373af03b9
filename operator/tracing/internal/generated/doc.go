// Package generated proves that package tracing never changes what an operator does. There is no code in it for others.
package generated

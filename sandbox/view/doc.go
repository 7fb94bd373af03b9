// Package view renders a trace for people to read.
//
// [New] lays out the spans of a trace as a [Waterfall]: rows in tree order on one time axis.
// [Waterfall.WriteText] draws it in a terminal or as plain text, [Waterfall.WriteSVG] as a picture
// and [Waterfall.WriteHTML] as a page with all details. The scripts in assets/ compute the same
// layout from OTLP JSON in the browser. [WriteJaegerPage] uses them to show traces from Jaeger's
// API.
//
// `sandbox trace` calls this package. The package does not read files or the network. It escapes
// the texts of spans for the terminal, for XML and for HTML.
package view

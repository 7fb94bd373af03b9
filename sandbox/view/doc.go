// Package view shows a trace to a person.
//
// [New] lays the spans of a trace out as a [Waterfall]: rows in the order of the tree, on one axis of time. [Waterfall.WriteText]
// draws it in a terminal or as plain text, [Waterfall.WriteSVG] as a picture, [Waterfall.WriteHTML] as a page with all details. The page's own model, in assets/, does the
// same from OTLP JSON in the browser, so that [WriteJaegerPage] can show traces that are read from Jaeger's API there.
//
// `sandbox trace` calls it. The package reads nothing from anywhere; what the spans' texts hold, it writes so that it is text
// wherever it is shown.
package view

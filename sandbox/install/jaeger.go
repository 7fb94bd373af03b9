package install

// JaegerOptions configures [Jaeger].
type JaegerOptions struct {
	// Image is Jaeger v2's image; its entry point is the jaeger binary. Required.
	Image Image
	// Version is what status reports, for example "v2.13.0". Required.
	Version string
}

// Jaeger renders Jaeger, all-in-one and in memory.
func Jaeger(o JaegerOptions) (*Component, error) {
	return &Component{Name: JaegerName, Version: o.Version}, nil
}

// Package symbol finds and reads two-dimensional barcodes in grey frames.
//
// Read returns payload bytes exactly as they were printed, or nothing; error
// correction makes a wrong payload improbable, but only a signature rules it
// out. It never panics, whatever the frame holds, and does not change or keep
// the pixels. A Reader keeps little state from frame to frame and belongs to
// one goroutine.
package symbol

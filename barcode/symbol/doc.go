// Package symbol finds and reads two-dimensional barcodes in grey frames.
//
// Read returns payload bytes exactly as they were printed, or nothing; error
// correction makes a wrong payload improbable, but only a signature rules it
// out. It never panics, whatever the frame holds, and does not change or keep
// the pixels. Of a symbol that it could not read it keeps how dark each module
// seemed, for the next frames of the same place, and drops that when the symbol
// is read, is gone for a dozen frames, or at Forget. A Reader belongs to one
// goroutine.
//
// The decoding of bits into bytes is gozxing's. Finding a symbol and sampling
// its modules is ours: the modules whose colour the symbol's size alone tells
// are what the plane is fitted to and what an equaliser is trained with, frame
// by frame, so that no lens, light or motion is assumed.
package symbol

// Package symbol finds and reads two-dimensional barcodes in grey frames.
//
// Read returns payload bytes exactly as they were printed, or nothing. A payload
// that nobody printed is ruled out as far as chance goes: what was sampled, from
// one frame or from several, is compared with the codeword that the payload has,
// and is only believed when a random grid would come as near to any codeword
// with a probability below 2^-40, which small symbols with errors in them do not
// reach. A symbol of no bytes is none. Against intent only a signature helps.
// Read never panics, whatever the frame holds, and does not change or keep the
// pixels.
//
// Up to three symbols are followed where they were, and every other frame what
// lies beside them is searched, so that one code does not hide another for
// longer than a few frames. Of a symbol that it could not read a Reader keeps
// how dark each module seemed, for the next frames of the same place, and drops
// that when the symbol is read, is gone for a dozen frames, or at Forget. A
// Reader belongs to one goroutine.
//
// The correction and the decoding of bits into bytes are gozxing's, and checked.
// Finding a symbol and sampling
// its modules is ours: the modules whose colour the symbol's size alone tells
// are what the plane is fitted to and what an equaliser is trained with, frame
// by frame, so that no lens, light or motion is assumed.
package symbol

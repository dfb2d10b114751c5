// Package scene draws what the gate's two cameras see.
//
// A face scene is a traveller's photograph cut out with a soft edge, set on a
// plain backdrop and moved, lit and blurred as at a gate. A document scene is
// a printed pass held at an angle over a desk. Every frame carries its truth,
// so that a measurement can begin at the frame in which something is truly to
// be seen and not at the frame in which the gate noticed it.
//
// Drawing is deterministic: the same inputs and seed give the same frames,
// byte for byte, so that encoded clips can be cached by content. Nothing here
// runs while a traveller is at the gate.
//
// A drawn face is a re-capture of a photograph, never a live person: no
// liveness figure may be read from it.
package scene

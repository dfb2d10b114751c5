// Package stream measures how long a pass that is held before the document
// camera waits until it is verified, on the way that it takes at a gate: an
// HTTP MJPEG camera of 25 frames a second, the worker program with its camera
// driver, its socket, and the seal's signature in the receiving process.
//
// The clock begins before the first byte of the first frame is sent in which
// the hand has come to rest, and ends when the signature holds and every field
// is read. Each pass is another one, in another pose, carried into view with
// the blur of its speed and held with a hand's shake under the gate's mix of
// conditions. Frames are drawn and encoded beforehand, so that neither takes
// the worker's time. A pass that was verified on its way in has waited no time
// at all, and is counted; one that is not verified in time counts as the limit.
package stream

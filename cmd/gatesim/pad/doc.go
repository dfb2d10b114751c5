// Package pad tries presentation attack detection on drawn streams.
//
// A stream is a few frames of one person before the gate's face camera, or of
// a print or screen held before it. The gate's own vision, which has learnt the empty scene, looks at its
// frames one by one, and the gate's own rules judge them as they come. Nothing
// is played in real time.
//
// Identities, devices and seeds come in two halves that have nothing in common:
// on one the camera is calibrated, on live streams only; on the other it is
// tried. All figures are of the generator: a drawn live face is itself a
// re-capture of a photograph, and no drawn print or screen is a real one.
package pad

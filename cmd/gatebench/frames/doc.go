// Package frames draws what a document camera sees of a printed pass: a card
// with a barcode and print around it on a textured desk, under one named
// condition at a time and under the mix of a gate. The same seed gives the
// same pixels on every machine of the same architecture.
package frames

// Package biometrics compares faces: it turns raw embeddings into references of a byte a value, fuses the frames of one session into one
// probe, scores a probe against a reference, and gives the verdicts on match, image quality and liveness.
//
// Guarantees:
//   - Pure Go, no I/O, no goroutines, no clock. Everything is a function of its arguments.
//   - Fails closed: an embedding of the wrong length, with a value that is not finite, or without length is refused with an error and
//     never scored; a false match rate without a threshold gives no threshold; a missing measurement is not a good one.
//   - Nothing here knows a certain recogniser: its dimension, projection, limits of the norm and thresholds are a Recogniser, and come
//     from the model manifest.
//   - The shipped recogniser's projection is fixed data of this package (checked against its SHA-256 before first use) and is made from
//     the model's own last layer, so it holds nobody's data. A projection is orthonormal: cosines, and with them thresholds, stay
//     those of the whole embedding.
//   - A reference is only comparable with embeddings of the same model; the caller keeps the model's id beside it.
package biometrics

// Package evaluate measures a recogniser over labelled photographs: the rate of false non-matches at fixed rates of false matches, at
// the thresholds of the manifest, by quality, behind the quality gate, with fused probes, and what the short reference costs.
//
// Guarantees:
//   - Every rate comes with its count and its 95 % Wilson limits. A photograph without a face counts as a failure to acquire and takes
//     part in no rate of matches.
//   - A threshold is the lowest at which at most the wanted share of impostors pass; it is read from the same comparisons that the
//     rates are, so it is optimistic where false matches are few.
//   - Nothing is written: embeddings live as long as the call.
package evaluate

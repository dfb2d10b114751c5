// Package people is the population of the simulator: who walks through the
// gate, from which photograph he is enrolled and which one is filmed.
//
// Built in are the women of six photographs that "make models" fetches; all
// but one are filmed from the photograph they are enrolled from, and are
// called re-captures. Where a folder of LFW photographs is given, people with
// two photographs or more are enrolled from one and filmed from another.
//
// Nobody is chosen by how well two photographs match. A photograph may be
// turned down for its own quality, as an issuing office and a gate do.
package people

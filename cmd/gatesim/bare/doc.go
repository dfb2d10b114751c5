// Package bare is a gate without its lane: the real identity, vault, journal,
// replica and link of a gate, as gated wires them, and nothing that opens a
// turnstile. Campaigns kill it and load it far beyond what travellers could.
//
// Everything it records is marked as simulated. What it says was recorded was
// durable before it said so.
package bare

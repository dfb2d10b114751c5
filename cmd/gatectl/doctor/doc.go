// Package doctor examines a gate, part by part, and says of each what it found
// and how to mend it.
//
// It examines for real: it opens files, hashes models, shakes hands with the
// broker, and asks devices. While the daemon runs it owns the devices, so they
// are asked through it and no line is taken from it; else the daemon's own
// drivers ask them. It changes nothing. Every check ends in bounded time, and
// none says anything of a person.
package doctor

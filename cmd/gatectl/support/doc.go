// Package support packs what helps to find a fault at a gate, and nothing that
// names a person or opens anything.
//
// It does not trust its sources. The configuration goes in as checked values,
// not as a file with comments; a log line as the words of the code and values of
// known keys; every other text is scrubbed of what looks like an identifier, a
// key, an address with a password, or something quoted. What is sealed in the
// journal is not opened, and no file is packed as it lies on the disk.
package support

// Package configs reads the files that describe one gate, one headquarters and
// the models they use.
//
// A file is decoded strictly over its defaults: unknown, repeated and misplaced
// keys, wrong types and values out of range are faults, and a load reports every
// fault of a file at once with its place. A file with a fault yields no
// configuration at all, so nothing starts on half of one. Loading reads the
// named file and nothing else: whether a device, folder or model is really
// there is for the part that opens it. A value in the gate's file can make the
// gate stricter than its built-in rules, never laxer. Nothing here ever writes
// to the technician's files.
//
// The results are plain structs of this package; the program that wires the
// rooms together converts them to the rooms' own options.
package configs

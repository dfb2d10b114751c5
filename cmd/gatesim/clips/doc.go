// Package clips has the pictures of every traveller ready before he comes.
//
// A clip is drawn once and kept in a folder under a key of everything that
// its content depends on; a second run reads it. Files are written whole or
// not at all. While a traveller is at the gate nothing is drawn here.
package clips

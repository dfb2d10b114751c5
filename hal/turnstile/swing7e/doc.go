// Package swing7e drives the controller of a swing or flap gate that speaks
// 7E/7F frames over RS-485.
//
// What every driver keeps is said in turnstile. Here a grant is the command to
// open a side for one person; no command is answered, and what became of it is
// read from the status. A passage is the side's counter, believed when two
// statuses in a row agree, because the frame's checksum is a plain sum. A
// withdrawal forbids the side and lifts that again.
//
// What the status's codes mean differs between models and is in no document
// that was found: the table in the options says it. A code that the table has
// not is a fault with the raw code, and every level that depends on it is
// unknown, so that nothing is granted. The commands to close, to stay open, to
// reset and to set parameters are never sent.
package swing7e

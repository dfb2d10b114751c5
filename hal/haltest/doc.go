// Package haltest holds every driver of a kind to one suite, and lets a driver
// be tested against recorded bytes.
//
// RunTurnstile passes only for a driver that keeps what hal promises: at most
// one pulse a grant, nothing on an unsafe or unknown level, no pulse again for a
// lost reply, passages only from their contact, and an inert device after start,
// Halt and reconnect. It waits for events, never for time to pass; a driver that
// never answers fails after some seconds.
//
// Recorder writes down what crosses a port; Playback gives it back and fails
// the test on a byte that was not recorded or was recorded and not used.
package haltest

package gate

import "bordergate/gate/reason"

// Causes of a lane that is out of service, beside the reasons that name one.
const (
	CauseTurnstile      = "turnstile"
	CauseEmergencyInput = "emergency_input"
	CauseDocument       = "document_camera"
	CauseFace           = "face_camera" // of a self-test that waits for it; service is reduced without
	CauseTamper         = "tamper"
	CauseSelfTest       = "self_test_failed"
)

// Service is what a gate does for travellers while something fails.
type Service uint8

// The degrees of service, best first.
const (
	ServiceOpen    Service = iota + 1 // serves as ever; the failure is reported
	ServiceReduced                    // some or all travellers are referred to an officer
	ServiceClosed                     // nobody is begun
)

// String is the service's name on the status page and on the wire.
func (s Service) String() string {
	switch s {
	case ServiceOpen:
		return "open"
	case ServiceReduced:
		return "reduced"
	case ServiceClosed:
		return "closed"
	default:
		return "invalid"
	}
}

// MarshalText is the service's name.
func (s Service) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Degradation is one row of the table of degraded service: what fails, and what
// the gate does then. Several may hold at once; the worst service rules.
type Degradation struct {
	Device, Failure string
	Service         Service
	// Cause is the lane's own word for it where it is out of service, and
	// Reason what is said of who is referred where service is reduced.
	Cause  string
	Reason reason.Reason
	// Traveller and Technician are what each is told; the technician's line
	// ends with the cure.
	Traveller, Technician string
}

// Code names the row in telemetry: device and failure.
func (d Degradation) Code() string { return d.Device + "_" + d.Failure }

// What is said to travellers.
const (
	tellNothing  = "nothing: he is served as ever"
	tellClosed   = "the gate is closed; an officer or another lane serves him"
	tellReferred = "please see the officer"
)

// Degraded lists every row. The lane's table and Decide carry it out, and a
// test drives each row through them; docs/degraded.md is made of it.
func Degraded() []Degradation {
	return []Degradation{
		{"document_camera", "dead", ServiceOpen, "", 0, tellNothing, "the scanner alone reads passes: look at the camera's cable and its line on the status page"},
		{"scanner", "dead", ServiceOpen, "", 0, tellNothing, "the document camera alone reads passes: look at the scanner's cable, port and baud"},
		{"document_camera", "dead_no_scanner", ServiceClosed, CauseDocument, 0, tellClosed, "no pass can be read: bring the document camera or the scanner back"},
		{"document_camera", "lost_with_traveller", ServiceReduced, "", reason.DeviceFault, tellReferred, "the last reader went while a traveller was there: bring it back"},
		{"face_camera", "dead", ServiceReduced, "", reason.BiometricsUnavailable, tellReferred, "no face can be compared and everybody is referred: look at the camera's cable and its line on the status page"},
		{"models", "unusable", ServiceReduced, "", reason.BiometricsUnavailable, tellReferred, "no face can be compared and everybody is referred: fetch the models with make models and start gated again"},
		{"template_keys", "unusable", ServiceReduced, "", reason.BiometricsUnavailable, tellReferred, "who has no template in the accounts is referred: correct trust.template_keys and start gated again"},
		{"turnstile", "dead", ServiceClosed, CauseTurnstile, 0, tellClosed, "the turnstile's board does not answer: check its cable, supply, port, baud and unit"},
		{"turnstile", "lost_with_grant", ServiceClosed, CauseTurnstile, reason.DeviceFault, tellClosed, "the board went while a grant was out: see that the passage is empty, then check its cable and supply"},
		{"turnstile", "not_ready", ServiceClosed, CauseTurnstile, 0, tellClosed, "the turnstile's own controller is out of service: see its display or manual"},
		{"lamp", "dead", ServiceOpen, "", 0, tellNothing, "a lamp does not obey: check its relay and bulb"},
		{"emergency_input", "unknown", ServiceClosed, CauseEmergencyInput, 0, tellClosed, "whether the fire panel has the gate is not known: check the wiring of the emergency input"},
		{"emergency_input", "on", ServiceClosed, reason.ModeEmergency.String(), 0, "leave through the open gate", "the fire panel or break glass has the gate: after its reset an officer signs off"},
		{"obstruction_input", "unknown", ServiceClosed, reason.Obstruction.String(), 0, tellClosed, "whether the passage is free is not known: check the wiring of the obstruction input"},
		{"obstruction_input", "stuck_on", ServiceClosed, reason.Obstruction.String(), 0, tellClosed, "something stands in the passage, or its sensor says so: clear it, clean the sensor"},
		{"presence_input", "unknown", ServiceClosed, "", 0, "nothing: he is not seen", "whether anybody stands at the gate is not known, so nobody is begun: check the wiring of the presence input"},
		{"presence_input", "lost_with_traveller", ServiceOpen, "", 0, "nothing: step back and come again", "presence was lost while a traveller was there: check the wiring of the presence input"},
		{"mains", "lost", ServiceOpen, "", 0, tellNothing, "the gate runs on its battery: bring the mains back before it is empty"},
		{"cabinet", "open", ServiceClosed, CauseTamper, 0, tellClosed, "the cabinet is open and an alarm is on record: close it; put the lane in maintenance first when you work on it"},
		{"journal", "broken", ServiceClosed, reason.JournalFault.String(), 0, tellClosed, "records cannot be written: check the disk, then start gated again"},
		{"journal", "full", ServiceClosed, reason.JournalFault.String(), 0, tellClosed, "records have no room: bring the way to headquarters back, or free disk space"},
		{"journal", "broken_with_traveller", ServiceClosed, reason.JournalFault.String(), reason.JournalFault, tellReferred, "records cannot be written: check the disk, then start gated again"},
		{"evidence", "not_kept", ServiceOpen, "", 0, tellNothing, "pictures are not kept: free disk space or raise journal.max_mib"},
		{"accounts", "damaged", ServiceReduced, "", reason.CacheStale, tellReferred, "the accounts are being fetched again: see that headquarters is reached"},
		{"accounts", "stale", ServiceReduced, "", reason.CacheStale, tellReferred, "headquarters has not been heard for too long: bring the way to it back"},
		{"accounts", "catching_up", ServiceReduced, "", reason.ModeCatchingUp, tellReferred, "missed decisions are being fetched: nothing to do"},
		{"watchlist", "unreadable", ServiceReduced, "", reason.CacheStale, tellReferred, "the watch-list cannot be asked: see that headquarters is reached, look at the disk"},
		{"trust", "lost", ServiceReduced, "", reason.CacheStale, tellReferred, "no signer of passes can be believed: see trust on the status page"},
		{"policy", "lost", ServiceReduced, "", reason.CacheStale, tellReferred, "headquarters' policy was here and is lost: it comes again once headquarters is reached"},
		{"headquarters", "away", ServiceOpen, "", 0, tellNothing, "headquarters is not reached and the gate goes on alone: check the network and the broker"},
		{"clock", "bad", ServiceReduced, "", reason.ClockUntrusted, tellReferred, "the clock is behind what headquarters signed: set it, check its battery and the time server"},
		{"clock", "unsynchronised", ServiceReduced, "", reason.ClockUntrusted, tellReferred, "the clock was never synchronised since the boot, and passes that end soon are referred: check the time server"},
		{"status_page", "port_taken", ServiceOpen, "", 0, tellNothing, "another program has the status page's port: end it, or set another status.listen"},
		{"screen", "port_taken", ServiceOpen, "", 0, "nothing: his screen is dark, an officer helps", "another program has the screen's port: end it, or set another screen.listen"},
		{"technician_page", "unusable", ServiceOpen, "", 0, tellNothing, "the technician's page is not served: see the error for its port, certificate or token file; gatectl and the status page serve meanwhile"},
		{"service", "failing", ServiceOpen, "", 0, tellNothing, "a part of gated fails again and again: see its error, and report it"},
		{"self_test", "failed", ServiceClosed, CauseSelfTest, 0, tellClosed, "a check that service depends on failed: gatectl selftest names it and its cure"},
	}
}

package hal

import "time"

// EventKind says what happened at a device.
type EventKind uint8

// The events of a turnstile. Kinds marked level come on change and after each
// reconnect; a slow reader may miss a level that was replaced by a later one,
// never any other kind.
const (
	GrantAccepted    EventKind = iota + 1 // the device showed the unlock it was told
	GrantRejected                         // the device answered that it would not unlock
	GrantUnconfirmed                      // the unlock was sent and nothing confirms it: treat as granted, never resend
	GrantRevoked                          // the authorisation was withdrawn before a passage started
	PassageStarted                        // a person is between the leaves under a grant
	PassageCompleted                      // a person passed under a grant; closes it
	PassageTimeout                        // nobody passed in time; closes the grant; inferred
	ReverseEntry                          // a person passed the wrong way under a grant
	Tailgating                            // a second person passed under one grant
	ForcedEntry                           // a person passed without a grant
	ObstructionOn                         // level
	ObstructionOff                        // level
	ObjectLeft                            // the obstruction stays; inferred
	DoorOpened                            // level
	DoorClosed                            // level
	HeldOpen                              // the door stays open; Code 1 warning, 2 alarm; inferred
	PresenceOn                            // level
	PresenceOff                           // level
	EmergencyOn                           // fire alarm or break glass
	EmergencyOff                          //
	TamperOn                              // cabinet open
	TamperOff                             //
	PowerFail                             // mains lost
	PowerOK                               // mains back
	OutOfService                          // the gate's controller is not ready
	InService                             // the gate's controller is ready
	Fault                                 // something is wrong with the device; Code says what
	DeviceOffline                         // the device does not answer
	DeviceOnline                          // the device answers, is inert, and every level was read
	Desync                                // events were lost (Code: how many, with Dir: passages counted while the line was away), or a level or what became of Grant is not known any more: read Snapshot
	Unobserved                            // nobody looked for Code ms while a person may have passed under a grant, or the counter jumped meanwhile; closes it; inferred
	kindEnd
)

type kindEntry struct {
	text  string
	level Input // not zero: the kind reports this input and a later one replaces it
}

var kinds = [...]kindEntry{
	GrantAccepted:    {text: "grant_accepted"},
	GrantRejected:    {text: "grant_rejected"},
	GrantUnconfirmed: {text: "grant_unconfirmed"},
	GrantRevoked:     {text: "grant_revoked"},
	PassageStarted:   {text: "passage_started"},
	PassageCompleted: {text: "passage_completed"},
	PassageTimeout:   {text: "passage_timeout"},
	ReverseEntry:     {text: "reverse_entry"},
	Tailgating:       {text: "tailgating"},
	ForcedEntry:      {text: "forced_entry"},
	ObstructionOn:    {text: "obstruction_on", level: InputObstruction},
	ObstructionOff:   {text: "obstruction_off", level: InputObstruction},
	ObjectLeft:       {text: "object_left"},
	DoorOpened:       {text: "door_opened", level: InputDoorClosed},
	DoorClosed:       {text: "door_closed", level: InputDoorClosed},
	HeldOpen:         {text: "held_open"},
	PresenceOn:       {text: "presence_on", level: InputPresence},
	PresenceOff:      {text: "presence_off", level: InputPresence},
	EmergencyOn:      {text: "emergency_on"},
	EmergencyOff:     {text: "emergency_off"},
	TamperOn:         {text: "tamper_on"},
	TamperOff:        {text: "tamper_off"},
	PowerFail:        {text: "power_fail"},
	PowerOK:          {text: "power_ok"},
	OutOfService:     {text: "out_of_service"},
	InService:        {text: "in_service"},
	Fault:            {text: "fault"},
	DeviceOffline:    {text: "device_offline"},
	DeviceOnline:     {text: "device_online"},
	Desync:           {text: "desync"},
	Unobserved:       {text: "unobserved"},
}

// String is the kind's name in records, or "invalid".
func (k EventKind) String() string {
	if k == 0 || k >= kindEnd {
		return "invalid"
	}
	return kinds[k].text
}

// Coalesces is the input whose level the kind reports, so that a later event
// of the same input may replace it in a full queue; zero for every kind that
// must never be dropped.
func (k EventKind) Coalesces() Input {
	if k >= kindEnd {
		return 0
	}
	return kinds[k].level
}

// EventKinds lists every kind in order.
func EventKinds() []EventKind {
	out := make([]EventKind, 0, int(kindEnd)-1)
	for k := EventKind(1); k < kindEnd; k++ {
		out = append(out, k)
	}
	return out
}

// Codes of HeldOpen, Fault and ForcedEntry; other values are the device's own.
const (
	CodeWarning   uint32 = 1 // HeldOpen: past the warning time
	CodeAlarm     uint32 = 2 // HeldOpen: past the alarm time
	CodeEmergency uint32 = 3 // ForcedEntry: the emergency input was on
	CodeOutput    uint32 = 4 // Fault: an unlock output was on without a grant
	CodeMode      uint32 = 5 // Fault: an output of the board is not in its normal mode
	CodeRevoked   uint32 = 6 // ForcedEntry: the grant had been revoked
	CodeExpired   uint32 = 7 // ForcedEntry: the grant had run out
	CodeCounter   uint32 = 8 // Fault: a passage counter went back or jumped, so that nobody knows how many passed
	// CodeUnobserved is of a ForcedEntry whose grant had been closed because its
	// passage may have been missed.
	CodeUnobserved uint32 = 9
	// CodeDevice is added to a code that the device itself gave for a Fault.
	CodeDevice uint32 = 1 << 16
)

// Event is something that happened at a device.
type Event struct {
	Seq      uint64    // from 1, by one for each event the driver made; a gap is a replaced level
	At       Mono      // when the driver saw it
	Wall     time.Time // for people; see Trust
	Trust    Trust     // of Wall
	Device   string
	Kind     EventKind
	Dir      Direction // of a passage or grant; else none
	Grant    GrantID   // the grant it belongs to; else zero
	Code     uint32    // the kind's own detail
	Raw      []byte    // the device's bytes that showed it; may be nil; not to be written to
	Inferred bool      // derived by the driver's timer, not reported by the device
}

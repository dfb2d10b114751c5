package console

import "slices"

// phrase is what an officer reads for a word of the records: what it is, and
// what to do about it. It accuses nobody.
type phrase struct {
	Is string `json:"is"`
	Do string `json:"do,omitempty"`
}

// Code is a reason that an officer gives for an answer.
type Code struct {
	Code string   `json:"code"`
	Text string   `json:"text"`
	For  []string `json:"for"`
}

const codeOther = "other"

// Codes lists the reasons of officers.
func Codes() []Code {
	return []Code{
		{"identity_checked", "Same person: compared by eye with the pass", []string{doAdmit}},
		{"document_checked", "Pass or permit checked by hand and in order", []string{doAdmit}},
		{"stamp_given", "Pass stamped now", []string{doAdmit}},
		{"account_cleared", "Account cleared by headquarters on another way", []string{doAdmit}},
		{"device_failure", "A fault of the lane, not of the traveller", []string{doAdmit, doRefer, doNoted}},
		{"humanitarian", "Humanitarian", []string{doAdmit}},
		{"commander_order", "By order of the commander", []string{doAdmit, doRefer, doRefuse}},
		{"second_line", "To the second line for a closer check", []string{doRefer}},
		{"office", "To the office: account, permit or stamp", []string{doRefer}},
		{"other_lane", "To another lane or by hand", []string{doRefer}},
		{"not_entitled", "Not entitled to cross here and now", []string{doRefuse}},
		{"not_the_holder", "Not the holder of the pass", []string{doRefuse}},
		{"left", "The traveller has left", []string{doRefer, doNoted}},
		{"seen", "Looked at on the spot", []string{doNoted}},
		{codeOther, "Other: say in the note", []string{doRefer, doRefuse, doNoted}},
	}
}

func goodCode(do, code string) bool {
	return slices.ContainsFunc(Codes(), func(c Code) bool { return c.Code == code && slices.Contains(c.For, do) })
}

// phrases are the words for reasons, outcomes, states and causes.
func phrases() map[string]phrase {
	return map[string]phrase{
		"pass_unreadable":           {"The pass could not be read", "Look at the label: dirt, folds, light. Try once more or read it by hand."},
		"pass_format":               {"The symbol is not that of a pass", "See what was shown; ask for the pass itself."},
		"pass_signature":            {"The pass's seal does not verify", "Check the pass by hand; keep it apart for the issuing office."},
		"pass_signer":               {"The pass's issuer is not known here", "Check the issuing office; the list of issuers may be out of date."},
		"pass_expired":              {"The pass has expired", "Refer to the issuing office."},
		"pass_not_yet_valid":        {"The pass is not valid yet", "Compare the dates on the pass."},
		"pass_revoked":              {"The pass was revoked", "Refer to the commander."},
		"pass_type":                 {"This type of pass is not accepted here", "Check the permit and the rules of this crossing."},
		"pass_crossing":             {"The pass is not for this crossing", "Name the crossings that stand on it."},
		"pass_direction":            {"The pass is not for this direction", "Check the direction on the pass."},
		"pass_stamp_due":            {"The verification stamp is due", "Stamp the pass and press Stamp; then admit."},
		"movement_sequence":         {"Entry and exit do not follow one another", "Look at today's history; ask where the last crossing was."},
		"movement_unchecked":        {"Last movement not known for certain", ""},
		"passback":                  {"The pass was used a moment ago", "Look at today's history and compare the face."},
		"account_unknown":           {"No account of this number", "Refer to the office."},
		"account_suspended":         {"The account is suspended", "Refer to the commander."},
		"account_cancelled":         {"The account is cancelled", "Refer to the commander."},
		"account_level":             {"The account's level does not open the gate", "Check identity by hand."},
		"watchlist":                 {"Check in the second line", "Refer to the second line without saying why."},
		"cache_stale":               {"The lane's list of accounts is too old", "Check by hand; call the technician."},
		"clock_untrusted":           {"The lane's clock is not to be trusted", "Check the dates by hand; call the technician."},
		"face_none":                 {"No face was seen", "Height, light, or looking away: try once more or compare by eye."},
		"face_many":                 {"More than one face", "One person at a time; try once more."},
		"face_quality":              {"The face was not seen well enough", "Mask, cap, glasses or light: compare by eye."},
		"face_mismatch":             {"The face and the enrolled one did not match well enough", "Compare the two pictures and the pass by eye."},
		"liveness_attack":           {"The face may not have been a live one", "Look at the person and at what is held to the camera."},
		"liveness_undecided":        {"It was not clear that the face was live", "Look at the person; compare by eye."},
		"biometrics_unavailable":    {"Faces cannot be compared at this lane now", "Compare by eye; call the technician."},
		"capture_timeout":           {"Time ran out before all was read", "Help the traveller and try once more."},
		"passage_unused":            {"The gate opened and nobody went through", ""},
		"tailgating":                {"More than one person went through", "Go and see; count the travellers."},
		"wrong_way":                 {"Somebody went against the direction", "Go and see."},
		"forced":                    {"The passage was forced", "Go and see."},
		"obstruction":               {"Something stands in the passage", "Clear it."},
		"device_fault":              {"A device of the lane failed", "Call the technician."},
		"journal_fault":             {"The lane cannot keep records now", "Close the lane; call the technician."},
		"mode_closed":               {"The lane is closed", ""},
		"mode_emergency":            {"Emergency: the lane stands open", "See to people first; sign off when it is safe."},
		"mode_catching_up":          {"The lane is catching up with headquarters", "Seconds as a rule; check by hand meanwhile."},
		"mode_suspended_biometrics": {"Comparing faces is suspended here", "Compare by eye."},
		"officer_decision":          {"An officer's decision", ""},
		"random_check":              {"Chosen at random for a check", "Refer to the second line without saying why."},
		"interrupted":               {"The lane stopped in the middle", "Ask how far the traveller had got."},

		"admitted":   {"admitted", ""},
		"referred":   {"to an officer", ""},
		"refused":    {"not opened", ""},
		"abandoned":  {"left", ""},
		"failed":     {"lane failed", ""},
		"overridden": {"let through by an officer", ""},

		"second_line":     {"Check in the second line", ""},
		"device_failure":  {"a device failed", ""},
		"maintenance":     {"maintenance", ""},
		"inspection":      {"inspection", ""},
		"security":        {"security", ""},
		"crowd":           {"crowd", ""},
		"staffing":        {"staffing", ""},
		"commander_order": {"by order of the commander", ""},

		"lane_closed":         {"closed", ""},
		"lane_self_test":      {"self-test", ""},
		"lane_ready":          {"ready", ""},
		"lane_reading":        {"reading a pass", ""},
		"lane_matching":       {"looking at a face", ""},
		"lane_confirming":     {"waiting for an officer to confirm", ""},
		"lane_deciding":       {"deciding", ""},
		"lane_granted":        {"open for one", ""},
		"lane_passing":        {"somebody passes", ""},
		"lane_clearing":       {"waiting until the lane is free", ""},
		"lane_referred":       {"a traveller waits for an officer", ""},
		"lane_blocked":        {"blocked", ""},
		"lane_emergency":      {"emergency: open", ""},
		"lane_maintenance":    {"maintenance", ""},
		"lane_out_of_service": {"out of service", ""},

		"never_seen":        {"never heard", ""},
		"down":              {"no connection", ""},
		"silent":            {"silent", ""},
		"clock":             {"its clock", ""},
		"queue":             {"records pile up", ""},
		"config_differs":    {"settings differ from the other lanes", ""},
		"models_differ":     {"models differ from the other lanes", ""},
		"software_differs":  {"software differs from the other lanes", ""},
		"two_gates":         {"two machines under one name", ""},
		"contradicts_store": {"its records contradict those stored", ""},
	}
}

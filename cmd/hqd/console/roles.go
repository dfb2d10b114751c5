package console

import "slices"

// Role is what somebody is at the station.
type Role string

// The roles.
const (
	RoleOperator   Role = "operator"   // answers exceptions and runs the lanes
	RoleAssisting  Role = "assisting"  // stands with the travellers: sees, and sends to an officer
	RoleCommander  Role = "commander"  // all that, and the log
	RoleDeputy     Role = "deputy"     // as the commander
	RoleTechnician Role = "technician" // lanes and figures, and no person
	RoleAuditor    Role = "auditor"    // the log and figures, and no person
)

// Roles lists them.
func Roles() []Role {
	return []Role{RoleOperator, RoleAssisting, RoleCommander, RoleDeputy, RoleTechnician, RoleAuditor}
}

// right is what a route needs.
type right string

const (
	toSee    right = "lanes"   // lanes and figures; names nobody
	toMeet   right = "persons" // exceptions, with whom they concern
	toRefer  right = "refer"   // send to another officer, or note an alarm
	toAnswer right = "answer"  // refuse, and stamp
	toAdmit  right = "admit"   // bring an act that an officer has signed
	toRun    right = "mode"    // close a lane and take that back
	toStop   right = "stop"    // close all of them at once
	toAudit  right = "log"     // read who did what
)

var allowed = map[Role][]right{
	RoleOperator:   {toSee, toMeet, toRefer, toAnswer, toAdmit, toRun, toStop},
	RoleAssisting:  {toSee, toMeet, toRefer},
	RoleCommander:  {toSee, toMeet, toRefer, toAnswer, toAdmit, toRun, toStop, toAudit},
	RoleDeputy:     {toSee, toMeet, toRefer, toAnswer, toAdmit, toRun, toStop, toAudit},
	RoleTechnician: {toSee},
	RoleAuditor:    {toSee, toAudit},
}

// may reports whether the role has the right. A role that is not known has none.
func (r Role) may(what right) bool { return slices.Contains(allowed[r], what) }

// Package pass is the profile of a border pass or port permit on top of a
// seal: which tags there are, what each may hold, and how long it may be
// (docs/pass-profile.md).
//
// FromSeal accepts only a seal of this profile in which every mandatory field
// is present once and keeps its rules, so that a Pass it returns needs no
// further checks of form. It does not check the signature: call it on a seal
// that seal.Trust found valid. Features is its inverse. Whether a pass is good
// at this place and time is for the gate to decide.
//
// Errors name fields and rules, never their content.
package pass

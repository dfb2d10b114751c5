package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"bordergate/cmd/gatesim/clips"
	"bordergate/cmd/gatesim/enrol"
	"bordergate/cmd/gatesim/issue"
	"bordergate/cmd/gatesim/play"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/scene"
	"bordergate/cmd/gatesim/station"
	"bordergate/gate/reason"
)

// role is one traveller of the plan with everything he needs. Each has an
// account and a pass of his own, also where the same person comes again.
type role struct {
	scenario.Traveller
	holder  enrol.Enrolled // whose account and pass
	face    enrol.Enrolled // who stands there
	other   enrol.Enrolled // who stands beside him, or behind his picture
	account string
	number  string
	pass    issue.Kind
	// organisation is for whom he acts, or empty.
	organisation string
	jobs         [2]clips.Job // face, pass
	text         []byte       // his pass as the scanner delivers it; nil where he shows it to the camera
}

// enrolled reports whether headquarters knows his account.
func (r role) enrolled() bool { return r.Case != scenario.UnknownAccount }

func (r role) entry() station.Account {
	a := station.Account{
		ID: r.account, Level: 2, Kind: "citizen", Model: r.holder.Model, Reference: r.holder.Reference, Organisation: r.organisation,
	}
	switch r.Case {
	case scenario.PassTemplate:
		a.Model, a.Reference = "", nil
	case scenario.Level1:
		a.Level = 1
	case scenario.StaleCache:
		a.Kind = "foreigner"
	}
	return a
}

// order is his pass. A template stands in it only where headquarters has none.
func (r role) order() issue.Order {
	o := issue.Order{
		Kind: r.pass, Number: r.number, Account: r.account, Crossing: station.Crossing, Organisation: r.organisation,
	}
	if r.Case == scenario.PassTemplate {
		o.Model, o.Reference = r.holder.Model, r.holder.Reference
	}
	return o
}

// organisation is the one that travellers act for.
const organisation = "SIMORG1"

// stamp is the last one on his pass: of yesterday, but for those whom it is
// about.
func (r role) stamp(now time.Time) station.Stamp {
	ago := 24 * time.Hour
	switch r.Case {
	case scenario.StampDue:
		ago = 11 * 24 * time.Hour
	case scenario.StampSoon:
		ago = 9 * 24 * time.Hour
	}
	return station.Stamp{Pass: r.number, By: "Simulated Officer", At: now.Add(-ago).UTC()}
}

// again gives the pass, and himself, of the last one before who is admitted.
func (r *role) again(before []role) error {
	for _, p := range slices.Backward(before) {
		if p.Expect.Outcome == reason.Admitted {
			r.holder, r.face, r.account, r.number, r.pass, r.organisation = p.holder, p.face, p.account, p.number, p.pass, p.organisation
			return nil
		}
	}
	return fmt.Errorf("cast traveller %d: nobody was admitted before whose pass could come back", r.N)
}

// looks are the different frames of a face and of a held pass; they are
// played to and fro.
const (
	lookFrames = 16
	holdFrames = 16
)

// cast gives every traveller of the plan a person. Scripted travellers are of
// the first list; those filled up beyond them are of the second, if it has
// anybody.
func cast(plan []scenario.Traveller, scripted int, first, second []enrol.Enrolled, office *issue.Office, sc *scenario.Scenario, seed uint64) ([]role, error) {
	r := rand.New(rand.NewPCG(seed, 0xca57))
	order := r.Perm(len(first))
	var out []role
	for i, tr := range plan {
		holder := seated(first, order, tr.Seat, sc.LeaveOut)
		if i >= scripted && len(second) > 0 {
			holder = second[(i-scripted)%len(second)]
		}
		v := role{
			Traveller: tr, holder: holder, face: holder, pass: issue.Good,
			account: fmt.Sprintf("SIM%06d", tr.N), number: fmt.Sprintf("X%07d", tr.N),
		}
		switch tr.Case {
		case scenario.Impostor:
			v.face = another(holder, first, order, tr.Seat)
		case scenario.PhotoPrint, scenario.PhotoScreen:
			v.holder = upright(first, order, tr.Seat)
			v.face, v.other = v.holder, another(v.holder, first, order, tr.Seat)
		case scenario.TwoFaces:
			v.other = another(holder, first, order, tr.Seat)
		case scenario.ForgedSeal:
			v.pass = issue.Forged
		case scenario.UnknownSigner:
			v.pass = issue.Foreign
		case scenario.ExpiredPass:
			v.pass = issue.Expired
		case scenario.WrongCrossing:
			v.pass = issue.Elsewhere
		case scenario.WrongDirection:
			v.pass = issue.EntryOnly
			if sc.Direction == scenario.Entry {
				v.pass = issue.ExitOnly
			}
		case scenario.PortPermit:
			v.pass = issue.Permit
		case scenario.Organisation:
			v.organisation = organisation
		case scenario.Passback:
			if err := v.again(out); err != nil {
				return nil, err
			}
		}
		if err := v.draw(office, sc.Timing); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// seated is whoever has the seat, or the next who is not left out.
func seated(list []enrol.Enrolled, order []int, seat int, out []string) enrol.Enrolled {
	for k := range list {
		if p := list[order[(seat+k)%len(order)]]; !slices.Contains(out, p.ID) {
			return p
		}
	}
	return list[order[seat%len(order)]]
}

// another is the next person in the order that is not p.
func another(p enrol.Enrolled, list []enrol.Enrolled, order []int, i int) enrol.Enrolled {
	for k := range list {
		if q := list[order[(i+1+k)%len(order)]]; q.ID != p.ID {
			return q
		}
	}
	return p
}

// level is how far a head may lean in a photograph that is held up, radians:
// with the hand's own unrest it stays within what the gate compares.
const level = 0.14

// upright is the next person in the order whose photograph has the eyes level;
// another one's would be refused for its pose before anybody asks for liveness.
func upright(list []enrol.Enrolled, order []int, i int) enrol.Enrolled {
	for k := range list {
		p := list[order[(i+k)%len(order)]]
		e := p.Film.Face.Eyes
		if math.Abs(math.Atan2(e[1][1]-e[0][1], e[1][0]-e[0][0])) <= level {
			return p
		}
	}
	return list[order[i%len(order)]]
}

// draw says which clips he needs.
func (r *role) draw(office *issue.Office, t scenario.Timing) error {
	payload, err := office.Make(r.order())
	if err != nil {
		return err
	}
	if r.Reader != "" {
		o := r.order()
		o.Text = true
		if r.text, err = office.Make(o); err != nil {
			return err
		}
	}
	fo := scene.FaceOptions{
		Seed: r.Seed, Enter: play.Frames(t.FaceUsable - t.FaceFrom), Look: lookFrames, Turn: r.face.Turn(),
	}
	if r.LooksAway {
		fo.LooksAway, fo.LookAway = true, play.Frames(t.AwayTime)
		fo.Enter += fo.LookAway
	}
	po := scene.PassOptions{
		Seed: r.Seed, Words: []string{"BORDER PASS", "SIMULATED", "No. " + r.number}, Hold: holdFrames, Fumble: r.Fumble,
	}
	if r.Fumble == scene.BackFirst || r.Fumble == scene.TooFar {
		po.FumbleFrames = play.Frames(t.FumbleTime)
	}
	if r.Case == scenario.Unreadable {
		po.Damage = scene.Ruined
	}
	r.jobs[0] = clips.Job{Face: &clips.FaceJob{Shot: r.face.Film, Options: fo, Other: r.other.Film, Device: r.device()}}
	r.jobs[1] = clips.Job{Pass: &clips.PassJob{Payload: payload, Options: po}}
	return nil
}

// device is what his picture is shown on, of those that no threshold was set
// on; none for himself. Newsprint is too coarse to be compared at all: the
// quality of its frames is what refers it.
func (r *role) device() scene.Device {
	medium := map[string]scene.Medium{scenario.PhotoPrint: scene.Print, scenario.PhotoScreen: scene.Screen}[r.Case]
	var fit []scene.Device
	for _, d := range scene.Devices(true) {
		if d.Medium == medium && d.Kind != "newsprint" {
			fit = append(fit, d)
		}
	}
	if len(fit) == 0 {
		return scene.Device{}
	}
	return fit[r.N%len(fit)]
}

// actor loads his clips.
func (r role) actor(store *clips.Store) (play.Actor, error) {
	a := play.Actor{Traveller: r.Traveller, Holds: r.Case == scenario.Unreadable, Empty: r.Case == scenario.NoPass}
	var err error
	if a.Face, err = store.Load(r.jobs[0]); err != nil {
		return a, err
	}
	if a.Pass, err = store.Load(r.jobs[1]); err != nil {
		return a, err
	}
	if r.text != nil {
		a.Code = &scanner.Code{AIM: "]Q1", Payload: r.text}
		if r.Reader == scenario.AtScannerCut {
			a.Code.Cut = len(a.Code.Payload) / 2
		}
	}
	rnd := rand.New(rand.NewPCG(r.Seed, 0xdec1))
	switch r.Moment {
	case scenario.BeforeGrant:
		a.DecideAfter = time.Duration(rnd.Int64N(int64(700 * time.Millisecond)))
		if r.Case == scenario.Emergency {
			a.DecideAfter += 200 * time.Millisecond // his transaction has begun
		}
	case scenario.AfterGrant:
		a.DecideAfter = time.Duration(rnd.Int64N(int64(300 * time.Millisecond)))
	}
	return a, nil
}

// fumbleWord names a fumble in the report.
func fumbleWord(t scenario.Traveller) string {
	switch {
	case t.LooksAway:
		return "looks_away"
	case t.Fumble == scene.UpsideDown:
		return "pass_upside_down"
	case t.Fumble == scene.BackFirst:
		return "pass_back_first"
	case t.Fumble == scene.TooFar:
		return "pass_too_far"
	default:
		return ""
	}
}

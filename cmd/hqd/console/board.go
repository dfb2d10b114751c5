package console

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// Bounds of the board.
const (
	maxExceptions = 300 // the oldest make room, answered ones first
	maxReasons    = 16
	maxText       = 64
	claimLife     = 30 * time.Second // how long an act may be on its way
)

// Ref is where a record is stored.
type Ref struct {
	At    uint64 `json:"-"` // the store's message
	Gate  string `json:"-"`
	Epoch uint64 `json:"-"`
	Seq   uint64 `json:"-"`
}

// Exception is a traveller whom a lane did not admit, or an alarm. It names
// nobody: who it was stands sealed in the records that it refers to.
type Exception struct {
	ID        string           `json:"id"`
	Gate      string           `json:"gate"`
	Tx        string           `json:"tx,omitempty"`
	At        time.Time        `json:"at"`
	Alarm     bool             `json:"alarm,omitempty"`
	Outcome   string           `json:"outcome,omitempty"`
	Reasons   []string         `json:"reasons"`
	Detail    string           `json:"detail,omitempty"`
	Direction string           `json:"direction,omitempty"`
	Score     float64          `json:"score,omitempty"`
	Threshold float64          `json:"threshold,omitempty"`
	Frames    int              `json:"frames,omitempty"`
	Model     string           `json:"model,omitempty"`
	Reference string           `json:"reference,omitempty"`
	Liveness  string           `json:"liveness,omitempty"`
	Live      *bool            `json:"liveness_enforced,omitempty"`
	Steps     map[string]int64 `json:"steps_us,omitempty"`
	Photo     bool             `json:"photo"`  // a picture of the moment is here
	Person    bool             `json:"person"` // a pass was read
	Ended     bool             `json:"ended"`  // the lane is done with him
	Simulated bool             `json:"simulated"`
	Overdue   bool             `json:"overdue"`
	Answer    *Answer          `json:"answer,omitempty"`

	person, photo Ref
}

// Answer is what an officer made of it. Pending is an act that is on its way.
type Answer struct {
	Do      string    `json:"do"` // admit, refuse, refer or noted
	Reason  string    `json:"reason,omitempty"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Pending bool      `json:"pending,omitempty"`
}

// said is what of a record's public part is shown. It is the gate's word and
// may be of another version: what does not fit is left out.
type said struct {
	Outcome   string           `json:"outcome"`
	Reasons   []string         `json:"reasons"`
	Detail    string           `json:"detail"`
	Direction string           `json:"direction"`
	Revoked   bool             `json:"revoked"`
	Steps     map[string]int64 `json:"steps_us"`
	Score     float64          `json:"score"`
	Threshold float64          `json:"threshold"`
	Frames    int              `json:"frames"`
	Model     string           `json:"model"`
	Reference string           `json:"reference"`
	Liveness  string           `json:"liveness"`
	Live      *bool            `json:"liveness_enforced"`
}

// board is the station as the records of the last day tell it.
type board struct {
	now     func() time.Time
	late    time.Duration // from when an exception should have been answered
	changed func(kind string, v any)

	mu      sync.Mutex
	list    map[string]*Exception
	early   map[string]Ref    // pictures that came before what they belong to
	answers map[string]Answer // of exceptions that are not here yet, or were
	stood   map[string]stood
	seen    map[string]uint64 // newest record taken, by gate, stream and epoch
	figures figures
}

// stood is since when a lane stands as it does.
type stood struct {
	state string
	up    bool
	since time.Time
}

// since notes how the lanes stand and fills in since when.
func (b *board) since(lanes []Lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range lanes {
		l := &lanes[i]
		s := b.stood[l.Gate]
		if s.state != l.State || s.up != l.Up || s.since.IsZero() {
			s = stood{l.State, l.Up, b.now().UTC()}
			b.stood[l.Gate] = s
		}
		l.Since = s.since
	}
}

func newBoard(now func() time.Time, late time.Duration, changed func(string, any)) *board {
	return &board{
		now: now, late: late, changed: changed, list: make(map[string]*Exception), early: make(map[string]Ref),
		answers: make(map[string]Answer), stood: make(map[string]stood), seen: make(map[string]uint64),
	}
}

// what of a record there is, by its kind.
const (
	kindDecision = "decision"
	kindOutcome  = "outcome"
	kindAlarm    = "alarm"
	kindStill    = "still"
)

// Take takes in a stored record. One that was taken before changes nothing.
func (b *board) Take(r wire.Record, ref Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := r.Gate + "/" + r.Stream.String() + "/" + strconv.FormatUint(r.Epoch, 10)
	if r.Seq <= b.seen[key] {
		return
	}
	b.seen[key] = r.Seq
	var s said
	if len(r.Public) > 0 && json.Unmarshal(r.Public, &s) != nil {
		return
	}
	s.tidy()
	switch {
	case r.Kind == kindStill:
		b.picture(r, ref)
	case r.Kind == kindAlarm:
		b.exception(r, ref, s)
	case r.Kind == kindDecision, r.Kind == kindOutcome:
		if r.Kind == kindOutcome {
			b.figures.count(time.Unix(0, r.Wall), b.now(), s)
		} else {
			b.figures.decided(time.Unix(0, r.Wall), b.now(), s)
		}
		b.crossing(r, ref, s)
	}
}

// tidy bounds what a gate says.
func (s *said) tidy() {
	s.Reasons = s.Reasons[:min(len(s.Reasons), maxReasons)]
	for i, r := range s.Reasons {
		s.Reasons[i] = r[:min(len(r), maxText)]
	}
	for _, p := range []*string{&s.Outcome, &s.Detail, &s.Direction, &s.Model, &s.Reference, &s.Liveness} {
		*p = (*p)[:min(len(*p), maxText)]
	}
	if len(s.Steps) > 2*maxReasons {
		s.Steps = nil
	}
}

func idOf(r wire.Record) string {
	if r.Tx != [16]byte{} {
		return r.Gate + "." + hex.EncodeToString(r.Tx[:])
	}
	return fmt.Sprintf("%s.%d-%d", r.Gate, r.Epoch, r.Seq)
}

// crossing takes in what was decided, or what came of it.
func (b *board) crossing(r wire.Record, ref Ref, s said) {
	id := idOf(r)
	x := b.list[id]
	switch {
	case s.Outcome == "overridden" && x != nil && (x.Answer == nil || x.Answer.Pending):
		// He was let through at the gate itself, or the answer is on its way.
		if x.Answer == nil {
			x.Answer = &Answer{Do: "admit", By: "an officer at the gate", At: time.Unix(0, r.Wall).UTC()}
		}
		x.Outcome = s.Outcome
		b.tell(x)
	case slices.Contains([]string{"referred", "refused", "failed"}, s.Outcome) || s.Revoked:
		b.exception(r, ref, s)
	case x != nil:
		x.Outcome, x.Ended = s.Outcome, r.Kind == kindOutcome
		b.tell(x)
	default:
		delete(b.early, id)
	}
}

func (b *board) exception(r wire.Record, ref Ref, s said) {
	id := idOf(r)
	x := b.list[id]
	if x == nil {
		x = &Exception{ID: id, Gate: r.Gate, At: time.Unix(0, r.Wall).UTC(), Reasons: []string{}, Simulated: r.Simulated}
		if r.Tx != [16]byte{} {
			x.Tx = hex.EncodeToString(r.Tx[:])
		}
		if a, ok := b.answers[id]; ok {
			x.Answer = &a
		}
		if p, ok := b.early[id]; ok {
			x.photo, x.Photo = p, true
			delete(b.early, id)
		}
		b.room()
		b.list[id] = x
	}
	x.Alarm = x.Alarm || r.Kind == kindAlarm
	x.Ended = x.Ended || r.Kind == kindOutcome
	if s.Outcome != "" {
		x.Outcome = s.Outcome
	}
	for _, why := range s.Reasons {
		if !slices.Contains(x.Reasons, why) && len(x.Reasons) < maxReasons {
			x.Reasons = append(x.Reasons, why)
		}
	}
	x.fill(s)
	if len(r.Sealed) > 0 && r.Stream == wire.StreamCrossing && !x.Person {
		x.person, x.Person = ref, true
	}
	b.tell(x)
}

// fill takes over what this record says and earlier ones did not.
func (x *Exception) fill(s said) {
	for _, p := range []struct {
		to  *string
		say string
	}{{&x.Detail, s.Detail}, {&x.Direction, s.Direction}, {&x.Model, s.Model}, {&x.Reference, s.Reference}, {&x.Liveness, s.Liveness}} {
		if p.say != "" {
			*p.to = p.say
		}
	}
	if s.Threshold != 0 {
		x.Score, x.Threshold, x.Frames = s.Score, s.Threshold, s.Frames
	}
	if s.Live != nil {
		x.Live = s.Live
	}
	if s.Steps != nil {
		x.Steps = s.Steps
	}
}

// picture keeps where the picture of an exception is.
func (b *board) picture(r wire.Record, ref Ref) {
	id := idOf(r)
	if x := b.list[id]; x != nil {
		x.photo, x.Photo = ref, true
		b.tell(x)
		return
	}
	if len(b.early) >= maxExceptions {
		clear(b.early)
	}
	b.early[id] = ref
}

// room drops the oldest exception where there are too many.
func (b *board) room() {
	if len(b.list) < maxExceptions {
		return
	}
	var drop *Exception
	for _, x := range b.list {
		if drop == nil || (x.Answer != nil) != (drop.Answer != nil) && x.Answer != nil || (x.Answer != nil) == (drop.Answer != nil) && x.At.Before(drop.At) {
			drop = x
		}
	}
	delete(b.list, drop.ID)
	b.changed("gone", map[string]string{"id": drop.ID})
}

// tell says that an exception is new or another. The caller holds mu.
func (b *board) tell(x *Exception) { b.changed("exception", x.copy()) }

func (x *Exception) copy() Exception {
	c := *x
	c.Reasons, c.Steps = slices.Clone(x.Reasons), maps.Clone(x.Steps)
	if x.Answer != nil {
		a := *x.Answer
		c.Answer = &a
	}
	return c
}

// get finds an exception.
func (b *board) get(id string) (Exception, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.list[id]
	if x == nil {
		return Exception{}, false
	}
	return x.copy(), true
}

// all lists the exceptions, what wants an answer first, then the newest.
func (b *board) all() []Exception {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Exception, 0, len(b.list))
	for _, x := range b.list {
		out = append(out, x.copy())
	}
	slices.SortFunc(out, func(x, y Exception) int {
		if open := (x.Answer == nil); open != (y.Answer == nil) {
			return map[bool]int{true: -1, false: 1}[open]
		}
		if d := y.At.Compare(x.At); d != 0 {
			return d
		}
		return strings.Compare(x.ID, y.ID)
	})
	return out
}

// taken says who has answered an exception, or is about to; nil where nobody.
func (b *board) taken(id string) *Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.answers[id]
	if x := b.list[id]; x != nil && x.Answer != nil {
		a, ok = *x.Answer, true
	}
	if !ok || a.Pending && b.now().Sub(a.At) > claimLife {
		return nil
	}
	return &a
}

// answered takes in what the log says of an exception.
func (b *board) answered(e Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.list[e.On]
	switch e.Do {
	case DidOverdue:
		if x != nil {
			x.Overdue = true
			b.tell(x)
		}
		return
	case DidFail:
		delete(b.answers, e.On)
		if x != nil {
			x.Answer = nil
		}
	default:
		a := Answer{Do: e.What, Reason: e.Reason, By: e.Who, At: e.At, Pending: e.Do == DidClaim}
		if len(b.answers) >= 4*maxExceptions {
			b.forget()
		}
		b.answers[e.On] = a
		if x != nil {
			x.Answer = &a
		}
	}
	if x != nil {
		b.tell(x)
	}
}

// forget drops the oldest answer.
func (b *board) forget() {
	oldest := ""
	for id, a := range b.answers {
		if oldest == "" || a.At.Before(b.answers[oldest].At) {
			oldest = id
		}
	}
	delete(b.answers, oldest)
}

// overdue lists the exceptions that should have been answered by now, each
// once. Those from before somebody could have are left out.
func (b *board) overdue(since time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	now := b.now()
	for id, x := range b.list {
		if x.Answer != nil && x.Answer.Pending && now.Sub(x.Answer.At) > claimLife {
			x.Answer = nil // whoever sent it never heard
			b.tell(x)
		}
		if x.Answer == nil && !x.Overdue && x.At.After(since) && now.Sub(x.At) >= b.late {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

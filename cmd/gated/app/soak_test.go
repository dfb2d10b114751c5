package app

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bordergate/gate"
)

// The campaign of docs/soak.md: stands are broken at random, one or two things
// at a time, for as long as the flags say; make soak PART=lane runs it.
var (
	soakFor  = flag.Duration("lane.for", 3*time.Second, "how long stands are broken at random")
	soakSeed = flag.Uint64("lane.seed", 1, "seed of what breaks, when and where")
	soakOut  = flag.String("lane.out", "", "file for the result; empty: the test alone judges")
)

// soakResult is what a campaign found. Runs are travellers under a fault.
type soakResult struct {
	Seed       uint64     `json:"seed"`
	Runs       int        `json:"runs"`
	Lost       int        `json:"lost"`
	Duplicated int        `json:"duplicated"`
	Wrong      int        `json:"wrong"`
	Unsafe     int        `json:"unsafe"`
	Detail     soakDetail `json:"detail"`
}

type soakDetail struct {
	Stands  int            `json:"stands"`
	Pairs   int            `json:"two_faults_at_once"`
	Struck  map[string]int `json:"struck"` // how often, by device and verb
	Ends    map[string]int `json:"ends"`
	Records int            `json:"records"`
	Pulses  int            `json:"unlock_pulses"`
	Found   []string       `json:"found"` // what is not as it should be, at most 50
}

// soak is a campaign under way.
type soak struct {
	mu     sync.Mutex
	result soakResult
	lines  []struck
}

func (c *soak) found(count *int, format string, a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*count++
	if d := &c.result.Detail; len(d.Found) < 50 {
		d.Found = append(d.Found, fmt.Sprintf(format, a...))
	}
}

// soakTB takes the errors of a stand as findings instead.
type soakTB struct {
	testing.TB
	c    *soak
	what func() string
}

func (t soakTB) Errorf(format string, a ...any) {
	t.c.found(&t.c.result.Wrong, "%s: %s", t.what(), fmt.Sprintf(format, a...))
}
func (t soakTB) Error(a ...any) { t.Errorf("%s", fmt.Sprint(a...)) }

const (
	soakStands = 12 // side by side
	soakTurns  = 8  // travellers of one stand
)

func TestLaneSoak(t *testing.T) {
	c := &soak{lines: readStruck(t)}
	c.result.Seed = *soakSeed
	c.result.Detail.Struck, c.result.Detail.Ends, c.result.Detail.Found = map[string]int{}, map[string]int{}, []string{}
	end := time.Now().Add(*soakFor)
	var all sync.WaitGroup
	for k := range soakStands {
		rnd := rand.New(rand.NewPCG(*soakSeed, uint64(k)))
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				t.Run(fmt.Sprintf("stand %d.%d", k, n), func(t *testing.T) { c.stand(t, rnd, end) })
			}
		})
	}
	all.Wait()
	r := c.result
	if *soakOut != "" {
		b, err := json.MarshalIndent(r, "", " ")
		if err == nil {
			err = os.WriteFile(*soakOut, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if r.Lost+r.Duplicated+r.Wrong+r.Unsafe > 0 || r.Runs == 0 {
		t.Errorf("seed %d: %d travellers; lost %d, duplicated %d, wrong %d, unsafe %d:\n%s",
			r.Seed, r.Runs, r.Lost, r.Duplicated, r.Wrong, r.Unsafe, strings.Join(r.Detail.Found, "\n"))
	}
}

// kinds of stand, by what is real to the wire, and the devices that can break.
var soakKinds = []struct {
	o       standOptions
	devices []string
}{
	{standOptions{}, []string{"board", "clock", "hq", "disk"}},
	{standOptions{}, []string{"board", "clock", "hq", "disk"}},
	{standOptions{scanner: true}, []string{"board", "scanner", "hq"}},
	{standOptions{cameras: true}, []string{"board", "face_camera", "document_camera"}},
}

// stand is one stand's life.
func (c *soak) stand(t *testing.T, rnd *rand.Rand, end time.Time) {
	kind := soakKinds[rnd.IntN(len(soakKinds))]
	o := kind.o
	o.impatient, o.patience, o.passage = true, 3*time.Second, 5*time.Second
	now := "start"
	s := newStand(soakTB{t, c, func() string { return now }}, o)
	if !s.bring(gate.Ready) {
		return
	}
	for range soakTurns {
		if time.Now().After(end) {
			break
		}
		if !c.turn(s, rnd, kind.devices, &now) {
			break
		}
	}
	s.leave()
	s.stop()
	c.judge(s)
}

// pick draws a line of the table for one of the devices, in a state that a
// traveller passes through.
func (c *soak) pick(rnd *rand.Rand, devices []string, state string) struck {
	for {
		r := c.lines[rnd.IntN(len(c.lines))]
		fits := r.state == state || state == "" && slices.Contains(standWay, stateOf(r.state)) && r.state != gate.Confirming.String()
		if fits && r.cannot == "" && slices.Contains(devices, r.device) {
			return r
		}
	}
}

// turn is one traveller, with one thing or two that break; false ends the stand.
func (c *soak) turn(s *laneStand, rnd *rand.Rand, devices []string, now *string) bool {
	r := c.pick(rnd, devices, "")
	from, pair := stateOf(r.state), rnd.IntN(3) == 0
	*now = fmt.Sprintf("%s %s in %s", r.device, r.verb, r.state)
	second := r
	if pair {
		second = c.pick(rnd, devices, r.state)
		*now += fmt.Sprintf(" with %s %s", second.device, second.verb)
	}
	s.slip = r.verb == "short_pulse" || second.verb == "short_pulse"
	if !s.lead(from) {
		return false
	}
	s.noted = len(s.book.since(0))
	for _, f := range []struck{r, second}[:1+map[bool]int{true: 1}[pair]] {
		if err := s.strike(f.device, f.verb); err != nil {
			s.t.Errorf("strike: %v", err)
		}
	}
	ends := ""
	if pair {
		ends = s.whatever(from)
	} else {
		ends = s.under(from, stateOf(r.during), r)
	}
	c.note(r, second, pair, ends)
	switch {
	case r.device == "scanner" && ends == "referred pass_unreadable":
		// The end of what it sent before may have come late.
	case !pair && !slices.Contains(strings.Split(r.ends, " or "), ends):
		s.t.Errorf("the transaction ended %q, want %q", ends, r.ends)
	case pair && ends != "" && ends != "admitted" && ends != "abandoned" && !strings.Contains(ends, " "):
		s.t.Errorf("the transaction ended %q and names no reason", ends)
	}
	for _, f := range []struck{r, second} {
		if err := s.mend(f.device); err != nil {
			s.t.Errorf("mend: %v", err)
		}
	}
	s.slip = false
	s.recover(from)
	return true
}

// whatever lets a traveller go on under faults of which nobody has written down
// what must come: he ends, or the lane takes nobody.
func (s *laneStand) whatever(from gate.State) (ends string) {
	defer s.leave()
	if from == gate.Clearing {
		return ""
	}
	limit := time.NewTimer(standLimit)
	defer limit.Stop()
	quiet := time.NewTicker(2 * time.Second)
	defer quiet.Stop()
	step := func() {
		if rest := s.way(from); len(rest) > 0 {
			s.advance(rest[0])
			from = rest[0]
		}
	}
	for step(); ; {
		select {
		case v := <-s.views:
			switch {
			case v.Finished:
				return ended(v)
			case v.State == from:
				step()
			}
		case <-quiet.C:
			// Nothing more comes of what he does: he leaves.
			s.leave()
			switch s.state() {
			case gate.Reading, gate.Matching, gate.Deciding, gate.Granted, gate.Passing:
			default:
				return ""
			}
		case <-limit.C:
			s.t.Errorf("ended by the test's own time-out: the lane is %v", s.state())
			return ""
		}
	}
}

func (c *soak) note(r, second struck, pair bool, ends string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &c.result.Detail
	c.result.Runs++
	d.Struck[r.device+" "+r.verb]++
	if pair {
		d.Pairs++
		d.Struck[second.device+" "+second.verb]++
	}
	d.Ends[ends]++
}

// judge holds a stand's book and its board's log to the rules.
func (c *soak) judge(s *laneStand) {
	lines := s.book.since(0)
	decided, outcomes := map[gate.TxID]int{}, map[gate.TxID]int{}
	for _, l := range lines {
		switch l.Kind {
		case gate.EntryDecision:
			decided[l.Tx]++
		case gate.EntryOutcome:
			outcomes[l.Tx]++
		}
	}
	for tx, n := range decided {
		if n > 1 {
			c.found(&c.result.Duplicated, "transaction %v was decided %d times", tx, n)
		}
		if outcomes[tx] == 0 && !s.book.refused(tx) {
			c.found(&c.result.Lost, "transaction %v has no outcome", tx)
		}
	}
	for tx, n := range outcomes {
		if n > 1 {
			c.found(&c.result.Duplicated, "transaction %v has %d outcomes", tx, n)
		}
	}
	for _, bad := range s.unsafe() {
		c.found(&c.result.Unsafe, "%s", bad)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result.Detail.Stands++
	c.result.Detail.Records += len(lines)
	c.result.Detail.Pulses += len(s.board.Grants())
}

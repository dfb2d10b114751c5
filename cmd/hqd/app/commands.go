package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// CommandOrder is what a person asks HQ to have a gate do.
type CommandOrder struct {
	Gate string `json:"gate"`
	Do   string `json:"do"`
	Mode string `json:"mode,omitempty"`
	By   string `json:"by"`
	// WaitMS is how long to wait for the answer, up to five minutes.
	WaitMS int64 `json:"wait_ms"`

	act []byte // that an officer has signed; only the console brings one
}

// CommandAnswer is what came of it.
type CommandAnswer struct {
	Command string    `json:"command"`
	Gate    string    `json:"gate"`
	Do      string    `json:"do"`
	Outcome string    `json:"outcome"` // executed, refused or expired
	Why     string    `json:"why,omitempty"`
	Sent    time.Time `json:"sent"`
	At      time.Time `json:"at"` // by the gate's clock
	// Millis is from the sending to the answer, by HQ's clock.
	Millis      float64         `json:"millis"`
	Diagnostics json.RawMessage `json:"diagnostics,omitempty"`

	nonce string
}

// ErrCommand means that HQ will not send this, or cannot now.
var ErrCommand = errors.New("command is not sent")

// errSilence means that nobody knows what came of a command.
var errSilence = errors.New("no answer in time: whether it was carried out is not known; the gate's alarm records will say")

// commandLife is how long a command is good for: much longer than a slow link
// needs, and short enough that nobody has forgotten it.
const commandLife = time.Minute

const maxCommandWait = 5 * time.Minute

// commands are those that are under way. Nothing is kept of them here: the gate
// records what it was ordered, by whom and what came of it.
type commands struct {
	mu      sync.Mutex
	newest  map[string]uint64                   // number last given, by gate
	waiting map[string]map[string]chan answered // gate, id
}

// answered is a result and when it came.
type answered struct {
	wire.Result
	at time.Time
}

func newCommands() *commands {
	return &commands{newest: make(map[string]uint64), waiting: make(map[string]map[string]chan answered)}
}

// begin gives a command its number and a place for its answer. The time keeps
// the numbers of an HQ that was started again above those that gates have
// taken; what a gate says of its newest one does so where HQ's clock was wrong.
func (c *commands) begin(gate, id string, now time.Time) (seq uint64, reply <-chan answered, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seq = max(c.newest[gate]+1, uint64(now.UnixMilli()))
	c.newest[gate] = seq
	if c.waiting[gate] == nil {
		c.waiting[gate] = make(map[string]chan answered)
	}
	in := make(chan answered, 1)
	c.waiting[gate][id] = in
	return seq, in, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting[gate], id)
	}
}

// settle hands a result to who waits for it; false where nobody does.
func (c *commands) settle(gate string, r wire.Result, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest[gate] = max(c.newest[gate], r.Newest)
	in, ok := c.waiting[gate][r.ID]
	if !ok {
		return false
	}
	select {
	case in <- answered{r, now}:
	default: // said twice
	}
	return true
}

// Command sends a command and waits for its result.
func (a *App) Command(ctx context.Context, o CommandOrder) (CommandAnswer, error) {
	out := CommandAnswer{Gate: o.Gate, Do: o.Do}
	if o.By == "" {
		return out, fmt.Errorf("%w: nobody named as who orders it", ErrCommand)
	}
	if _, _, err := a.fleet.gate(o.Gate); err != nil {
		return out, fmt.Errorf("%w: %w", ErrCommand, err)
	}
	boot, up := a.fleet.connection(o.Gate)
	if !up {
		return out, fmt.Errorf("%w: %s is not connected; a command is never kept for later", ErrCommand, o.Gate)
	}
	out.Command, out.Sent = randomID(16), time.Now().UTC()
	c := wire.Command{ID: out.Command, Boot: boot, Do: o.Do, Mode: o.Mode, By: a.id.pseudonym(o.By), Act: o.act}
	if c.Do == wire.DoClock {
		c.Time = out.Sent.UnixNano()
	}
	seq, in, end := a.commands.begin(o.Gate, c.ID, out.Sent)
	defer end()
	if err := a.sendCommand(ctx, o.Gate, seq, c, out.Sent); err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, min(max(time.Duration(o.WaitMS)*time.Millisecond, 0), maxCommandWait))
	defer cancel()
	select {
	case r := <-in:
		return out, out.fill(r, a.id)
	case <-ctx.Done():
		return out, fmt.Errorf("command %s: %w", c.ID, errSilence)
	}
}

func (a *App) sendCommand(ctx context.Context, gate string, seq uint64, c wire.Command, now time.Time) error {
	topic := wire.Down(gate, "cmd")
	h := wire.Header{
		Typ: wire.TypeCommand, To: gate, Topic: topic, Seq: seq,
		Iat: now.UnixMilli(), Exp: now.Add(commandLife).UnixMilli(),
	}
	if err := c.Check(h); err != nil {
		return err
	}
	b, err := a.id.sign(wire.RoleCommand, h, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := a.session.Publish(ctx, topic, b, false); err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	return nil
}

// fill takes over what a gate answered.
func (a *CommandAnswer) fill(r answered, id *Identity) error {
	a.Outcome, a.Why, a.nonce = r.Outcome, r.Why, r.Nonce
	a.At, a.Millis = time.Unix(0, r.At).UTC(), float64(r.at.Sub(a.Sent).Microseconds())/1e3
	if len(r.Sealed) == 0 {
		return nil
	}
	plain, err := r.OpenDiagnostics(id.seal, a.Gate)
	if err != nil {
		return fmt.Errorf("read diagnostics: %w", err)
	}
	if len(plain) > wire.MaxDiagnostics || !json.Valid(plain) {
		return fmt.Errorf("read diagnostics: %w", wire.ErrPayload)
	}
	a.Diagnostics = plain
	return nil
}

// onResult takes in what a gate says came of a command. One that nobody waits
// for, since it came late or twice, changes nothing.
func (a *App) onResult(gate string, payload []byte) error {
	r, err := wire.Decode[wire.Result](payload)
	if err == nil {
		err = r.Check()
	}
	if err != nil {
		return err
	}
	if !a.commands.settle(gate, r, time.Now()) {
		a.fleet.count(gate, "result_unasked")
	}
	return nil
}

// connection is what the gate calls its present connection; false where it has
// none.
func (f *fleet) connection(gate string) (boot string, up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.gates[gate]
	if g == nil || !g.up {
		return "", false
	}
	return g.boot, true
}

func (a *App) command(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[CommandOrder](w, r, ErrCommand)
	if !ok {
		return
	}
	out, err := a.Command(r.Context(), o)
	reply(w, out, err)
}

package link

import (
	"context"
	"crypto/hpke"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/sync/wire"
)

// GateOptions are the parts and settings of a gate's link.
type GateOptions struct {
	Gate       string
	Broker     string
	TLS        *tls.Config
	AllowPlain bool
	Bundle     wire.Bundle     // HQ's keys, checked against the pinned root
	Signer     wire.Signer     // of this gate
	Key        hpke.PrivateKey // opens what HQ seals to this gate
	Journal    Journal
	Keys       DayKeys
	Accounts   Accounts
	Software   string
	Simulated  bool
	Now        Clock // nil: the system's clock, trusted
	// State gives what the gate says of itself; the link adds its own part.
	// It is called in the reporter's goroutine.
	State func() wire.State
	// OnChange, OnCatchingUp: as in DownlinkOptions. OnFatal: as in
	// UplinkOptions. OnOnline is called when the way to HQ's ingest opens or
	// closes. None may block.
	OnChange     func(account string)
	OnCatchingUp func(bool)
	OnOnline     func(bool)
	OnFatal      func(error)
	// OnCommand is given each command of HQ; Answer says what came of it.
	OnCommand func(Order)
	// OnDocument: as in DownlinkOptions.
	OnDocument func(Document)

	CatchUp    time.Duration // catching up ends when nothing has come for so long, 10 s
	Report     time.Duration // between two state messages, 10 s
	Stall      time.Duration // 30 s
	Backoff    time.Duration // 1 s
	MaxBackoff time.Duration // 60 s
	Logger     *slog.Logger
	Dial       func(ctx context.Context) (net.Conn, error) // for tests
}

// Gate is the gate's end of the link: the session, both engines and the
// reports.
type Gate struct {
	opts     GateOptions
	session  *Session
	up       *Uplink
	down     *Downlink
	counters *counters
	boot     string
	conn     atomic.Uint64
	online   atomic.Bool
	changed  chan struct{}
}

// GateStatus is what a gate's link can say of itself.
type GateStatus struct {
	Connected  bool              `json:"connected"`
	Error      string            `json:"error,omitempty"` // why there is no connection
	Hint       string            `json:"hint,omitempty"`  // what to do about it
	HQOnline   bool              `json:"hq_online"`
	CatchingUp bool              `json:"catching_up"`
	Counters   map[string]uint64 `json:"counters"`
}

// NewGate checks the options; nothing is opened before Serve.
func NewGate(o GateOptions) (*Gate, error) {
	if !wire.ValidGateID(o.Gate) || o.Journal == nil || o.Keys == nil || o.Accounts == nil || o.Key == nil {
		return nil, errors.New("open link: gate id, journal, keys or accounts missing")
	}
	ring, err := o.Bundle.Keyring()
	if err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	seal, err := wire.ParseSealKey(o.Bundle.Seal)
	if err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	o = o.withDefaults()
	g := &Gate{opts: o, counters: newCounters(), boot: randomID(), changed: make(chan struct{}, 1)}
	g.session, err = New(Options{
		Broker: o.Broker, ClientID: wire.ClientID(o.Gate), TLS: o.TLS, AllowPlain: o.AllowPlain,
		Filters: wire.GateFilters(o.Gate), Will: g.will, Backoff: o.Backoff, MaxBackoff: o.MaxBackoff,
		Logger: o.Logger, Dial: o.Dial,
	})
	if err != nil {
		return nil, err
	}
	g.down = newDownlink(DownlinkOptions{
		Gate: o.Gate, Ring: ring, Key: o.Key, Accounts: o.Accounts, Say: g.say, Now: o.Now,
		OnChange: o.OnChange, OnCatchingUp: g.catchingUp, OnCommand: o.OnCommand, OnDocument: o.OnDocument, Boot: g.bootID, CatchUp: o.CatchUp, Logger: o.Logger,
	}, g.counters)
	g.up = newUplink(UplinkOptions{
		Gate: o.Gate, Ring: ring, Seal: seal, Journal: o.Journal, Keys: o.Keys, Send: g.send,
		Birth: g.birth, OnFatal: o.OnFatal, OnHQ: g.hq, Stall: o.Stall, Logger: o.Logger,
	}, g.counters)
	return g, nil
}

func (o GateOptions) withDefaults() GateOptions {
	if o.State == nil {
		o.State = func() wire.State { return wire.State{} }
	}
	if o.OnCatchingUp == nil {
		o.OnCatchingUp = func(bool) {}
	}
	if o.OnOnline == nil {
		o.OnOnline = func(bool) {}
	}
	if o.OnFatal == nil {
		o.OnFatal = func(error) {}
	}
	if o.Report <= 0 {
		o.Report = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}

// Serve runs the link until ctx ends and returns when all of it has stopped.
func (g *Gate) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { g.up.serve(ctx) })
	wg.Go(func() { g.down.serve(ctx) })
	wg.Go(func() { g.dispatch(ctx) })
	wg.Go(func() { g.report(ctx) })
	err := g.session.Serve(ctx)
	wg.Wait()
	return err
}

// Notify says that the journal has grown. It never blocks.
func (g *Gate) Notify() { g.up.Notify() }

// Changed has the state published now. It never blocks.
func (g *Gate) Changed() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// CatchingUp is Downlink's.
func (g *Gate) CatchingUp() bool { return g.down.CatchingUp() }

// Online reports whether HQ's ingest can be reached now.
func (g *Gate) Online() bool { return g.online.Load() }

// Status is safe for concurrent use.
func (g *Gate) Status() GateStatus {
	s := GateStatus{
		Connected: g.session.Connected(), HQOnline: g.Online(),
		CatchingUp: g.CatchingUp(), Counters: g.counters.snapshot(),
	}
	if err := g.session.LastError(); err != nil {
		s.Error, s.Hint = err.Error(), g.session.hint(err)
	}
	return s
}

// dispatch hands what the session brings to the engine it is for.
func (g *Gate) dispatch(ctx context.Context) {
	give := func(to chan Message, m Message) {
		select {
		case to <- m:
		case <-ctx.Done():
		}
	}
	for {
		var m Message
		select {
		case <-ctx.Done():
			return
		case m = <-g.session.Messages():
		}
		if m.Kind != Received {
			if m.Kind == Up {
				g.conn.Store(m.Conn)
			}
			give(g.down.in, m)
			give(g.up.in, m)
			g.Changed()
			continue
		}
		topic, err := wire.ParseTopic(m.Topic)
		switch {
		case err == nil && (topic.Typ == wire.TypeAck || topic.Typ == wire.TypeHQ):
			give(g.up.in, m)
		case err == nil:
			give(g.down.in, m)
		default:
			g.counters.add(causeTopic)
			m.Ack()
		}
	}
}

func (g *Gate) bootID(conn uint64) string { return g.boot + "-" + strconv.FormatUint(conn, 10) }

func (g *Gate) will(conn uint64) (string, []byte, bool) {
	topic := wire.Up(g.opts.Gate, wire.TypeDeath)
	b, err := wire.SignJSON(g.opts.Signer, wire.Header{Typ: wire.TypeDeath, Ver: 1, To: wire.ToHQ, Topic: topic},
		wire.Death{Boot: g.bootID(conn)})
	if err != nil {
		g.opts.Logger.Error("Last will not signed", "error", err)
	}
	return topic, b, false
}

// send signs a message to HQ and hands it to the connection.
func (g *Gate) send(topic, typ string, seq uint64, v any) error {
	b, err := wire.SignJSON(g.opts.Signer, wire.Header{Typ: typ, Ver: 1, To: wire.ToHQ, Topic: topic, Seq: seq}, v)
	if err != nil {
		return err
	}
	return g.session.Send(topic, b, false)
}

func (g *Gate) say(typ string, v any) {
	if err := g.send(wire.Up(g.opts.Gate, typ), typ, 0, v); err != nil {
		g.opts.Logger.Debug("Message not sent", "type", typ, "error", err)
	}
}

func (g *Gate) birth() {
	b := wire.Birth{
		Boot: g.bootID(g.conn.Load()), JournalEpoch: g.opts.Journal.Epoch(),
		Software: g.opts.Software, Simulated: g.opts.Simulated,
	}
	b.Accounts.Epoch, b.Accounts.Cursor = g.opts.Accounts.Cursor()
	for _, r := range g.opts.Journal.Ranges() {
		b.Streams = append(b.Streams, wire.Range{Name: r.Stream.String(), First: r.First, Next: r.Next, Before: r.Before})
	}
	g.say(wire.TypeBirth, b)
}

// hq follows HQ's ingest. A new session of HQ is asked for changes as well,
// since it has not heard a hello on this connection.
func (g *Gate) hq(online, fresh bool) {
	if fresh {
		g.down.Refresh()
	}
	if g.online.Swap(online) != online {
		g.opts.OnOnline(online)
		g.Changed()
	}
}

func (g *Gate) catchingUp(on bool) {
	g.opts.OnCatchingUp(on)
	g.Changed()
}

// report publishes the gate's state every Report and on a change.
func (g *Gate) report(ctx context.Context) {
	t := time.NewTicker(g.opts.Report)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-g.changed:
		}
		if !g.session.Connected() {
			continue
		}
		s := g.opts.State()
		s.Boot, s.CatchingUp, s.Simulated = g.bootID(g.conn.Load()), g.CatchingUp(), g.opts.Simulated
		s.Counters = g.counters.snapshot()
		s.Accounts.Epoch, s.Accounts.Cursor = g.opts.Accounts.Cursor()
		g.say(wire.TypeState, s)
	}
}
